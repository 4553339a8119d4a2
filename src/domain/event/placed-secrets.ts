import { matchesOf } from './matches.ts'
import { findNamedSecrets, type Stretch } from './named-secrets.ts'
import { findUrlCredentials } from './personal-data.ts'
import { classifyName, isSecretValue } from './secret-names.ts'
import { findTabledSecrets } from './tabled-secrets.ts'

/** Where what stands there can only be a secret, whatever it looks like. */
const PLACES: readonly RegExp[] = [
  // SQL, in the dialects of Postgres, MySQL and Oracle.
  /\b(?:password|identified(?:\s{1,4}with\s{1,4}[\w'"`]{1,40})?\s{1,4}(?:by|as))(?=[\s(])\s{0,4}(?:by\s{1,4}|password\s{1,4})?\(?\s{0,4}(?:'((?:[^'\\]|\\[\s\S])*)|"((?:[^"\\]|\\[\s\S])*)|\$\$([^$]+))/dgi,
  // Redis, SMTP.
  /\b(?:requirepass|masterauth)\s{1,4}["']?([^\s"']{4,})/dgi,
  /\bAUTH(?:\s{1,4}(?:PLAIN|LOGIN|XOAUTH2))?\s{1,4}(?:[a-z_]{1,32}\s{1,4})?((?=[^\s\d]{0,256}\d)[^\s"':=]{8,})/dg,
  // Netrc.
  /\blogin\s{1,4}\S{1,64}\s{1,4}password\s{1,4}(\S{4,})/dgi,
  // curl and its like; digits alone are ids of a user and a group.
  /(?:^|\s)(?:-u|-U|--user|--proxy-user)[\s=]{1,4}["']?[^\s:"'=]{1,64}:((?!\d+(?:\s|$))[^\s"']{3,})/dg,
  /\b(?:mysql|mariadb)\w{0,16}\s(?:[^\n;|]{0,160}?\s)?-p([^\s"'-][^\s"']*)/dg,
  /\b(?:sshpass|mongo\w{0,8}|unzip|7z|user(?:add|mod))\s(?:[^\n;|]{0,160}?\s)?-[pP]\s?["']?([^\s"'-][^\s"']*)/dg,
  /\bredis-cli\s(?:[^\n;|]{0,160}?\s)?-a\s{1,4}["']?([^\s"'-][^\s"']*)/dg,
  /\bldap\w{2,16}\s(?:[^\n;|]{0,160}?\s)?-w\s{1,4}["']?([^\s"'-][^\s"']*)/dg,
  /:thin:[^\s/@]{1,64}\/([^\s@"]{1,128})@/dgi,
  /\b(?:sqlplus|sqlldr|expdp|impdp|rman)\s(?:[^\n;|]{0,80}?\s)?[\w$#]{1,64}\/([^\s@/]{1,128})(?=@|\s|$)/dg,
  /\b(?:mysql|mariadb)\w{0,16}\s(?:[^\n;|]{0,160}?\s)?-p(?:'([^'\n]+)|"([^"\n]+))/dg,
  /(?:^|\s)-u([^\s:"'=-][^\s:"'=]{0,63}:(?!\d+(?:\s|$))[^\s"']{3,})/dg,
  /\b(?:docker|podman|nerdctl|buildah|skopeo|helm|oras|crane|oc|az|cf|gh|npm)\s(?:[^\n;|]{0,80}?\s)?login\s(?:[^\n;|]{0,160}?\s)?-p[\s=]{1,4}["']?([^\s"'-][^\s"']*)/dg,
  /\bcreate\s{1,4}secret\s[^\n]{0,256}?--from-literal[\s=]{1,4}["']?[\w.-]{1,64}=([^\s"']+)/dg,
  /\bvault\s{1,4}(?:operator\s{1,4}unseal|login)\s{1,4}((?=[^\s\d]{0,256}\d)[^\s"'=-][^\s"'=]*)/dg,
  /\bvault\s{1,4}kv\s{1,4}(?:put|patch)\s{1,4}(?:-\S{1,64}\s{1,4}){0,3}[\w./-]{1,128}\s{1,4}[\w.-]{1,64}=([^\s"']+)/dg,
  /\bopenssl\s(?:[^\n;|]{0,160}?\s)?(?:-k\s{1,4}|-pass(?:in|out)?\s{1,4}pass:)["']?([^\s"'-][^\s"']*)/dg,
  /\b(?:rabbitmqctl|rabbitmq)\s(?:[^\n;|]{0,80}?\s)?(?:add_user|change_password|authenticate_user)\s{1,4}\S{1,64}\s{1,4}["']?([^\s"']+)/dg,
  /\b(?:smbclient|rpcclient|smbget|net)\s(?:[^\n;|]{0,160}?\s)?-U\s{0,4}["']?[^\s%"']{1,64}%([^\s"']+)/dg,
  /\becho\s{1,4}(?:-n\s{1,4})?["']?(?:\w{1,64}:)?([^\s"'|:$]{3,})["']?\s{0,4}\|\s{0,4}(?:sudo\s{1,4}-S|chpasswd|passwd\b|[^\n|]{0,80}--password-stdin)/dg,
  /\bSecureString\s{1,4}(?:-String\s{1,4})?["']([^"'\n]+)/dgi,
  // FTP, POP; the lists of Redis; MongoDB's shell.
  /\bUSER\s{1,4}\S{1,64}\s{1,4}PASS\s{1,4}(\S+)/dg,
  /\b(?:setuser\s{1,4}\S{1,64}|user\s{1,4}\S{1,64}\s{1,4}o(?:n|ff))\s{1,4}(?:\S{1,64}\s{1,4}){0,6}?>([^\s>=-]\S{2,})/dgi,
  /\bAUTH\s{1,4}["']([^"'\n]{3,})/dg,
  /\.auth\(\s{0,4}["'][^"'\n]{1,64}["']\s{0,4},\s{0,4}["']([^"'\n]+)/dg,
  // What is told of a password in words.
  /\bpass(?:word|wd|phrase)\s{1,4}(?:is|was|set\s{1,4}to|changed\s{1,4}to)\s{1,4}["'`]([^"'`\n]+)/dgi,
  /\bpass(?:word|wd|phrase)\s{1,4}(?:for|of)\s{1,4}(?:[^\s:]{1,64}\s{1,4}){0,3}?[^\s:]{1,64}(?:\s{1,4}is\s{1,4}|:\s{1,4})(?:["'`]([^"'`\n]+)|([^\s"'`]+)[^\S\n]*(?:\n|$)|([^\s"'`]+(?<![.,;!?])))/dgi,
  /\bpass(?:word|wd|phrase)\[([^\]\s]{3,})\]/dgi,
  /\bcred(?:ential)?s\s{1,4}[\w.@-]{1,64}[:/]((?=[^\s\d]{0,64}\d)[^\s/:]{4,})/dgi,
  /\bhtpasswd\s{1,4}(?:-\w{1,8}\s{1,4}){1,4}\S{1,256}\s{1,4}\S{1,64}\s{1,4}(\S+)/dg,
  // Codes and numbers of people.
  /\b(?:pin|passcode|otp|totp|(?:verification|security|access|auth|2fa|mfa|sms|login|recovery|backup)[ _-](?:code|pin))(?:\s{1,4}(?:code|is|was)){0,2}[:=]?\s{1,4}(\d{4,8})(?![\w.-])/dgi,
  /\bcv[vc]2?(?:\s{1,4}(?:code|is|was)){0,2}["']?[:=\s]{1,4}["']?(\d{3,4})(?![\w.-])/dgi,
  /\bssn(?:\s{1,4}(?:is|was))?["']?[:=\s#]{1,4}["']?(\d{3}-?\d{2}-?\d{4})(?!\d)/dgi,
  // Addresses that let in whoever has them.
  /[?&#](?:key|code|appid|app_id|magic|ticket|otp|invite|reset|verify|confirm|activation|t|k|sign)=((?=[^\s&#\d]{0,512}\d)(?=[^\s&#A-Za-z]{0,512}[A-Za-z])[\w~.%+/=-]{16,})/dgi,
  /\/(?:reset|reset[-_]?password|password[-_]?reset|verify|verification|confirm|confirmation|activate|activation|magic|magic[-_]?link|invite|invitation|sign[-_]?in|login|unsubscribe)\/((?=[^\s/\d]{0,512}\d)(?=[^\s/A-Za-z]{0,512}[A-Za-z])[\w~.-]{20,})/dgi,
]

/** Both of a change from one to the other, which are words as likely as not. */
const CHANGED =
  /(?<![A-Za-z])(?:pass(?:word|wd|phrase)|pwd?)\s{1,4}(?:(?:was\s{1,4}|has\s{1,4}been\s{1,4})?(?:changed|set|reset|updated|rotated)\s{1,4})?from\s{1,4}(?:["'`]([^"'`\n]+)["'`]|(\S+))\s{1,4}to\s{1,4}(?:["'`]([^"'`\n]+)|([^\s"'`]+))/dgi

/** Where secrets stand by the place they have in a command, a statement, a protocol, an address. */
export function findPlacedSecrets(text: string): readonly Stretch[] {
  const isSecret = (stretch: Stretch) => isSecretValue(text.slice(...stretch), 'strong', true)
  const groups = (form: RegExp) => matchesOf(text, form).map(({ indices = [] }) => indices.slice(1).filter((one) => one !== undefined))
  const placed = PLACES.flatMap((form) => groups(form).flatMap(([first]) => (first ? [first] : [])))
  return [
    ...placed,
    ...groups(CHANGED).flat(),
    ...findInsertedSecrets(text),
    ...findManifestSecrets(text),
    ...findEncodedSecrets(text),
  ].filter(isSecret)
}

const COLUMNS = /\(([^()]{1,1024})\)\s{1,8}VALUES(?=\s{0,8}\()/gi
const INSERTED = /[\s,(]{0,16}(?:'((?:[^'\\]|\\[\s\S]|'')*)'|"([^"\\]*)"|[^,()'"]{1,256}(?:\([^()]{0,256}\))?)\s{0,8}([,)])/dy
const MAX_INSERTED = 1_000

/** Values of `INSERT` whose columns are named so. */
function findInsertedSecrets(text: string): readonly Stretch[] {
  return matchesOf(text, COLUMNS).flatMap(({ index, 0: head, 1: list = '' }) => {
    const columns = list.split(',').map((name) => classifyName(name.replace(/[^\p{L}\p{N}_.-]/gu, '')) === 'strong')
    return columns.includes(true) ? readInserted(text, index + head.length, columns) : []
  })
}

function readInserted(text: string, from: number, columns: readonly boolean[]): readonly Stretch[] {
  const found: Stretch[] = []
  INSERTED.lastIndex = from
  for (let place = 0; place < MAX_INSERTED; place += 1) {
    const { indices } = INSERTED.exec(text) ?? {}
    if (!indices) break
    const value = indices[1] ?? indices[2]
    if (value && columns[place % columns.length]) found.push(value)
  }
  return found
}

const IS_SECRET = /kind["']?\s{0,4}[:=]\s{0,4}["']?Secret\b/
const DATA =
  /(?<![\w.-])["']?(?:stringData|data)["']?[^\S\n]{0,4}:[^\S\n]{0,4}(?:\{([^{}]{1,16384})\}|\r?\n((?:[^\S\n]{1,64}\S[^\n]*(?:\n|$))+))/dg
const DATUM = /(?<![\w.-])["']?[\w.-]{1,128}["']?[^\S\n]{0,4}:[^\S\n]{0,4}["']?([^\s"',{}|>][^\s"',{}]*)/dg

/** The data of a Secret of Kubernetes. */
function findManifestSecrets(text: string): readonly Stretch[] {
  if (!IS_SECRET.test(text)) return []
  return matchesOf(text, DATA).flatMap(({ indices = [] }) => {
    const [from, to] = indices[1] ?? indices[2] ?? [0, 0]
    return Array.from(text.slice(from, to).matchAll(DATUM)).flatMap(({ indices: within }): Stretch[] => {
      const value = within?.[1]
      return value ? [[from + value[0], from + value[1]]] : []
    })
  })
}

/** Base64 of either alphabet; what has a name before it may be shorter. */
const ENCODED = /(?<![\w+/-])(?:(?<=(?:[Bb]asic|[Aa]uth) )[\w+/-]{9,8192}|[\w+/-]{20,8192})={0,2}/g
const IS_PRINTABLE = /^[\s\x20-\x7e]+$/

/** Whether there is base64 in a text that reads as a text again: of a digest or a name hardly one in a million does. */
export function mayBeEncoded(text: string): boolean {
  return /[\w+/-]{20}/.test(text) && (text.match(ENCODED) ?? []).some((encoded) => IS_PRINTABLE.test(decode(encoded.slice(0, 20))))
}

/** Texts in base64 that hold secrets, and the credentials of RFC 7617. */
function findEncodedSecrets(text: string): readonly Stretch[] {
  return matchesOf(text, ENCODED).flatMap(({ index, 0: encoded }): Stretch[] => {
    const decoded = IS_PRINTABLE.test(decode(encoded.slice(0, 8))) ? decode(encoded) : ''
    const isSecret =
      (/(?:basic|auth) $/i.test(text.slice(Math.max(0, index - 6), index)) && /^[\x21-\x7e]{0,256}:[\x20-\x7e]{1,256}$/.test(decoded)) ||
      (IS_PRINTABLE.test(decoded) &&
        (findNamedSecrets(decoded).length > 0 || findUrlCredentials(decoded).length > 0 || findTabledSecrets(decoded).length > 0))
    return isSecret ? [[index, index + encoded.length]] : []
  })
}

function decode(encoded: string): string {
  try {
    return atob(encoded.replaceAll('-', '+').replaceAll('_', '/'))
  } catch {
    return ''
  }
}
