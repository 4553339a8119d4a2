/** Words that name a secret wherever they end a word of a name: `PGPASSWORD`, `clientSecret`, `x-vault-token`. */
const SECRET_WORD =
  /(?:passw(?:or)?d|passphrase|passcode|pwd|secret|token|apikey|secretkey|accesskey|privatekey|signingkey|encryptionkey|authkey|accountkey|sharedkey|masterkey|credentials?|authorization|jwt|cookie|sessionid|connectionstring|webhookurl|passwort|kennwort|wachtwoord|senha|contrase[nñ]a|has[lł]o|парол[ья]|密码|密碼|パスワード|비밀번호|psk|samlresponse|client_?assertion|communitystring)$/
/** The same, of several. */
const SECRET_WORDS = /(?:passw(?:or)?d|passphrase|secret|token|apikey|accesskey|cookie|jwt|_key)s$/

/** Kinds of keys that are secrets; a bare `key` is none. */
const SECRET_PAIR =
  /(?:^|_)(?:api|secret|access|private|signing|encryption|auth|account|shared|master|client|session|service|license|storage|hmac|ssh|subscription|functions|deploy|webhook|routing|integration)_(?:key|id_token|secret)(?:$|_)|(?:^|_)(?:session|sess)_?id(?:$|_)|(?:^|_)connection_string(?:$|_)|(?:^|_)webhook_url(?:$|_)|(?:^|_)community_string(?:$|_)|(?:^|_)client_assertion(?:$|_)/

/** Short words, secret as a whole last word: of them only what looks like a secret is one. */
const WEAK_NAME = /(?:^|_)(?:pass|auth|pw|pin|otp|totp|mfa|cvv|cvc|ssn|sig|signature|dsn|sas|bearer|x_amz_signature)$/

/** What is said about a secret rather than it: `token_ttl`, `secretName`, `password_policy`. */
const HARMLESS_LAST =
  /_(?:name|names|ttl|count|counts|type|types|path|file|version|policy|expiry|expires|expired|expires_in|expiration|age|limit|length|len|size|status|state|namespace|ref|provider|issuer|endpoint|store|manager|enabled|disabled|required|rotation|rotated_at|created_at|updated_at|at|in|arn|kind|usage|used|budget|bucket|rate|attempts|errors?|failures?|total|refresh_interval|interval|timeout|review|url|uri|class|algorithm|alg|hint|prefix|mount|audience|scope|scopes|role)$/

/** What the names of secrets in other languages, and rare ones, hold. */
export const RARE_NAME_MARKS = 'kennwort|wachtwoord|senha|contrase|has[lł]o|парол|密[码碼]|パスワード|비밀번호|psk|saml|assertion|community'

const NAME_HINT = new RegExp(
  `pass|pwd|pw|secret|token|key|cred|auth|cookie|jwt|sess|connection|webhook|pin|otp|mfa|cv[vc]|ssn|sig|dsn|sas|bearer|${RARE_NAME_MARKS}`,
  'i',
)

/**
 * How surely a name is a secret's: `strong` by its words, `weak` by a short word that is often something else, `plural` of
 * several, which often counts or names them.
 */
export type NameKind = 'strong' | 'weak' | 'plural' | 'none'

/** Whether a name, in any of the usual spellings, is that of a secret. At most 64 characters of it matter. */
export function classifyName(name: string): NameKind {
  if (!NAME_HINT.test(name)) return 'none'
  const words = name
    .slice(-64)
    .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
    .replace(/[^\p{L}\p{N}]+/gu, '_')
    .replace(/^_+|_+$/g, '')
    .toLowerCase()
  if (SECRET_PAIR.test(words)) return 'strong'
  if (HARMLESS_LAST.test(words)) return 'none'
  if (words.split('_').some((word) => SECRET_WORD.test(word))) return 'strong'
  if (SECRET_WORDS.test(words)) return 'plural'
  return WEAK_NAME.test(words) ? 'weak' : 'none'
}

/** Values that say how a secret fares, or stand in for one. */
const NO_SECRET =
  /^(?:true|false|yes|no|on|off|null|nil|none|undefined|unset|set|empty|missing|absent|present|invalid|valid|expired|revoked|rotated|rotation|changed|unchanged|updated|created|added|removed|deleted|disabled|enabled|required|optional|default|unknown|error|failed|failure|denied|rejected|mismatch|incorrect|wrong|not|is|was|has|cannot|could|must|for|of|and|or|in|from|string|redacted|hidden|masked|\(?redacted\)?|\*+|x{3,}|\.{3}|…|<[^<>]{0,64}>|\$\{[^{}]{0,128}\}|\{\{[^{}]{0,128}\}\}|\$\([^()]{0,128}\)|\$[A-Z_][A-Z0-9_]{0,64}|%s)$/i

/** Whether what stands for a secret's value is one. */
export function isSecretValue(value: string, kind: NameKind, isQuoted: boolean): boolean {
  if (value === '' || NO_SECRET.test(value)) return false
  if (kind === 'plural') return value.length >= 6 && /\d/.test(value) && /[A-Za-z]/.test(value)
  return kind === 'strong' || isQuoted || (value.length >= 4 && /\d/.test(value))
}

/** Whether a word is none that anybody would say: letters of both cases and digits, in no order. */
export function looksRandom(word: string): boolean {
  if (!/^(?=.*[a-z])(?=.*[A-Z])(?=.*\d)[\w!@#$%^&*+=~?]{8,256}$/.test(word)) return false
  const turns = word.match(/[a-z](?![a-z])|[A-Z](?![A-Z])|\d(?!\d)/g)?.length ?? 0
  return turns >= 0.4 * word.length
}
