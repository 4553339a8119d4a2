/** Words that name a secret wherever they end a word of a name: `PGPASSWORD`, `clientSecret`, `x-vault-token`. */
const SECRET_WORD =
  /(?:passw(?:[o0]r)?ds?|passwrd|passphrase|passcode|pwd|pswd|secret|token|apikey|secretkey|accesskey|privatekey|signingkey|encryptionkey|authkey|accountkey|sharedkey|masterkey|credentials?|creds|authorization|jwt|cookie|sess(?:ion)?id|connectionstring|webhookurl|passwort|kennwort|wachtwoord|senha|contrase[nñ]a|clave|parola|motdepasse|lozinka|heslo|salasana|lösenord|adgangskode|[sş]ifre|has[lł]o|парол[ья]|密码|密碼|パスワード|비밀번호|psk|mnemonic|dockerconfigjson|samlresponse|client_?assertion|communitystring)$/
/** The same, of several. */
const SECRET_WORDS = /(?:passw(?:or)?d|passphrase|secret|token|apikey|accesskey|cookie|jwt|_key)s$/

/** Kinds of keys that are secrets; a bare `key` is none. */
const SECRET_PAIR =
  /(?:^|_)(?:api|secret|access|private|signing|encryption|auth|account|shared|master|client|session|service|license|storage|hmac|ssh|subscription|functions|deploy|webhook|integration)_(?:key|id_token|secret)(?:$|_)|(?:^|_)(?:session|sess|connect)_?s?id(?:$|_)|(?:^|_)conn(?:ection)?_?str(?:ing)?s?(?:$|_)|(?:^|_)(?:passe|snmp_community|(?:seed|recovery|secret)_phrase)(?:$|_)|(?:^|_)community_string(?:$|_)|(?:^|_)client_assertion(?:$|_)/

/** Whose password `pass` after it is. */
const WHOSE_PASS =
  /(?:^|_)(?:db|database|sql|mysql|pg|postgres|oracle|mssql|redis|mongo|rabbit|amqp|mqtt|kafka|smtp|mail|imap|ldap|ftp|ssh|vpn|user|usr|admin|root|sudo|become|login|account|owner|bind|registry|docker|repo|git|proxy|http|auth|key|store|keystore|truststore|ssl|tls|cert|wifi|api|app|service|svc|client|server|bot)_?pass$/

/** Short words that hardly name anything else, but count what passes. */
const SHORT_NAME = /(?:^|_)pass$|ps?w$|(?<!com|by|sur|tres|over|under)pass$/

/** Short words, secret as a whole last word: of them only what looks like a secret is one. */
const WEAK_NAME =
  /(?:^|_)(?:auth|[cx]srf|pin|otp|totp|mfa|cvv|cvc|ssn|sig|signature|dsn|sas|bearer|pat|salt|pepper|oauth_verifier|(?:pin|otp|mfa|access|security|verification|recovery|backup|unlock|activation|reset|auth|authorization)_codes?|seed|sid)$/

/** A key that somebody has, of an issuer or a cipher; not what names a place among others. */
const ANY_KEY =
  /(?<!(?:^|_)(?:cache|partition|primary|foreign|sort|shard|dedup|dedupe|deduplication|idempotency|object|row|group|hash|range|index|order|lock|message|record|map|dict|i18n|translation|feature|flag|config|metric|label|tag|tenant|issue|project|public|host|event|correlation|trace|unique|natural|surrogate|lookup|search|registry|arrow|bucket|queue|topic|job|task|item|field|column|join|rate|limit))_key$/

/** What is said about a secret rather than it: `token_ttl`, `secretName`, `password_policy`. */
const HARMLESS_LAST =
  /_(?:name|names|ttl|count|counts|type|types|path|file|version|policy|expiry|expires|expired|expires_in|expiration|age|limit|length|len|size|status|state|namespace|ref|provider|issuer|endpoint|store|manager|enabled|disabled|required|rotation|rotated_at|created_at|updated_at|at|in|arn|kind|usage|used|budget|bucket|rate|attempts|errors?|failures?|total|refresh_interval|interval|timeout|lifetime|lifespan|seconds|minutes|hours|days|domain|samesite|secure|mode|backend|encryption|hashing|(?<!access_)key_id|review|(?<!webhook_)url|uri|class|reset|page|form|check|change|update|login|prompt|screen|flow|job|worker|queue|topic|table|column|field|index|api|exchange|introspection|cache|gateway|proxy|sync|migration|generator|validation|algorithm|alg|hint|prefix|mount|audience|scope|scopes|role|service|handler|controller|parser|validator|filter|js|ts|tsx|go|py|rb|java|kt|php|rs|cs)$/

/** What the names of secrets in other languages, and rare ones, hold. */
export const RARE_NAME_MARKS =
  'kennwort|wachtwoord|senha|contrase|clave|parola|lozinka|heslo|salasana|lösenord|adgangskode|[sş]ifre|has[lł]o|парол|密[码碼]|パスワード|비밀번호|psk|pswd|mnemonic|phrase|dockerconfig|saml|assertion|community|conn_?str'

/** What every name of a secret holds. */
export const NAME_HINT = new RegExp(
  `pass|pwd|pw|psw|secret|token|key|cred|auth|cookie|jwt|sess|conn|webhook|code|phrase|dockerconfig|pin|otp|mfa|cv[vc]|ssn|sig|dsn|sas|bearer|pat|salt|pepper|se?[ei]d|${RARE_NAME_MARKS}`,
  'i',
)

/**
 * How surely a name is a secret's: `strong` by its words, `short` by a word that is seldom, `weak` by one that is often something
 * else, `plural` of several, which often counts or names them, `key` of what somebody's key may be.
 */
export type NameKind = 'strong' | 'short' | 'weak' | 'plural' | 'key' | 'none'

/** Whether a name, in any of the usual spellings, is that of a secret. At most 64 characters of it matter. */
export function classifyName(name: string): NameKind {
  if (!NAME_HINT.test(name)) return 'none'
  const words = name
    .slice(-64)
    .replace(/^-D/, '')
    .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
    .replace(/[^\p{L}\p{N}]+/gu, '_')
    .replace(/^_+|_+$/g, '')
    .toLowerCase()
    .replace(/_?(?<!\d)\d{1,3}$/, '')
  if (HARMLESS_LAST.test(words)) return 'none'
  if (SECRET_PAIR.test(words) || WHOSE_PASS.test(words)) return 'strong'
  if (words.split('_').some((word) => SECRET_WORD.test(word))) return 'strong'
  if (SECRET_WORDS.test(words)) return 'plural'
  // `PASS: …` is how tests end.
  if (SHORT_NAME.test(words)) return name === 'PASS' ? 'weak' : 'short'
  if (WEAK_NAME.test(words)) return 'weak'
  return ANY_KEY.test(words) ? 'key' : 'none'
}

/** Whether of what is named so any word may be a secret. */
export const isStrong = (kind: NameKind): boolean => kind === 'strong' || kind === 'short'

/** `classifyName` for a text, in which names come again. */
export function createClassifier(): typeof classifyName {
  const kinds = new Map<string, NameKind>()
  return (name) => {
    const kind = kinds.get(name) ?? classifyName(name)
    kinds.set(name, kind)
    return kind
  }
}

/** Values that say how a secret fares, or stand in for one. */
const NO_SECRET =
  /^[[(<*]{0,2}(?:true|false|yes|no|on|off|null|nil|none|undefined|unset|set|empty|missing|absent|present|invalid|valid|expired|revoked|rotated|rotation|changed|unchanged|updated|created|added|removed|deleted|disabled|enabled|required|optional|default|unknown|error|failed|failure|denied|rejected|mismatch|incorrect|wrong|not|is|was|has|cannot|could|must|for|of|and|or|in|from|string|redacted|hidden|masked|filtered|sensitive|scrubbed|known|reset|deployed|succeeded|ok|active|inactive|started|stopped|restarted|synced|healthy|weak|strong|oauth2?|saml2?|md5|b?crypt|scrypt|argon2\w{0,2}|pbkdf2|(?:scram-)?sha-?\d{1,3}|[hrep]s\d{3}|v\d{1,3}|v?\d{1,3}(?:\.\d{1,5}){1,3}|\$\d{1,2}|\?|\*+|x{3,}|\.{3}|…|<(?:[^<>]{0,64}(?:pass|pwd|secret|token|key|cred|value|string|insert|enter|hidden|masked|from|see |\.\.\.|…)[^<>]{0,64}|(?:your|my|the|some|any|a|an)\b[^<>]{0,64}|[^<>\s]{1,40}(?:\s[^<>\s]{1,40}){2,12}|(?:redacted|removed|nil|none|null|unset|empty|undefined|sensitive)|[^\p{L}\p{N}<>]{0,64})>|\$\{[^{}]{0,128}\}|\{\{[^{}]{0,128}\}\}|\$\([^()]{0,128}\)|\$[A-Z_][A-Z0-9_]{0,64}|%s)[\])>*]{0,2}$/iu

/** Whether what stands for a secret's value is one. */
export function isSecretValue(value: string, kind: NameKind, isQuoted: boolean): boolean {
  if (value === '' || NO_SECRET.test(value)) return false
  if (kind === 'plural') return value.length >= 6 && /\d/.test(value) && /[A-Za-z]/.test(value)
  if (kind === 'key') return looksLikeKey(value)
  if (kind === 'strong') return true
  if (IS_PATH.test(value)) return false
  if (kind === 'short' && value.length >= 4 && !/^\d{1,3}(?!\w)/.test(value)) return true
  return isQuoted || (value.length >= 4 && /\d/.test(value))
}

const IS_PATH = /^[~.]{0,2}\/[\w./@-]+$|\.(?:pem|key|crt|cer|pub|json|ya?ml)$/
const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

/** What is long and has letters and digits, but is no name of a thing: sixteen characters without a mark between words. */
export function looksLikeKey(word: string): boolean {
  return (
    /^(?=[^\d]*\d)(?=[^A-Za-z]*[A-Za-z])(?:base64:)?[\w+/=~-]{16,512}$/.test(word) && /[A-Za-z0-9+=]{16}/.test(word) && !UUID.test(word)
  )
}

/** Whether a word is none that anybody would say: letters of both cases and digits, in no order. */
export function looksRandom(word: string): boolean {
  if (!/^(?=.*[a-z])(?=.*[A-Z])(?=.*\d)[\w!@#$%^&*+=~?]{8,256}$/.test(word)) return false
  const turns = word.match(/[a-z](?![a-z])|[A-Z](?![A-Z])|\d(?!\d)/g)?.length ?? 0
  return turns >= 0.4 * word.length
}
