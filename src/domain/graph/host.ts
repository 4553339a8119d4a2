import { matchServices } from '../event/service-name.ts'

/** A host that a text names, and the names under which a service may be known that it leads to, the likeliest first. */
export type NamedHost = {
  /** Lower case, without a port and the root's dot. */
  readonly host: string
  readonly candidates: readonly string[]
  /** Neither a scheme nor a port nor a dot says that it is a host: it is one only if a service has its name. */
  readonly isPlain: boolean
}

const URL = /:\/\/([^\s"'`<>]*)/g
const SCHEME = /([a-z][a-z0-9+.-]{0,63})$/i
/** What stands after them is no host: a path, a bucket, an image. */
const HOSTLESS_SCHEMES: ReadonlySet<string> = new Set([
  'file',
  'unix',
  'classpath',
  'jar',
  's3',
  's3a',
  'gs',
  'docker',
  'containerd',
  'cri-o',
])
const AUTHORITY_END = /[/?#]/
const AUTHORITY_HOST = /^[\p{L}\p{M}\p{N}_.-]+/u
const TOKEN = /[\p{L}\p{M}\p{N}_.-]+/gu
/** What a host follows: Node's and Go's errors, `host=` of libpq and urllib3, Kubernetes' sentence. */
const BEFORE_HOST =
  /(?:\b(?:ENOTFOUND|ECONNREFUSED|ETIMEDOUT|ECONNRESET|EHOSTUNREACH|ENETUNREACH|EAI_AGAIN|getaddrinfo|lookup) +|\bhost(?:name)?= ?["']?|\bfor service ["'])$/
/** What stands around nothing but a host: libpq's and MySQL's sentences, and those of who asked a resolver. */
const AROUND_HOST =
  /\bserver (?:at|on) (["'])\0\1|\(host=(["'])\0\2, port=|connect to `host=\0 |\bgetaddrinfo ENOTFOUND \0(?=$|[:\s])|\blookup \0(?=(?: on \S{1,64}:53)?: no such)/
const MAX_BEFORE = 32
const MAX_AFTER = 96
const BEFORE_TOKEN = /^[^/\\:#&$%*]?$/
const PORT = /^:(\d{1,5})(?!\.?[\p{L}\p{N}_])/u
/** Java's way to write an address that was resolved, or was not. */
const JAVA_ADDRESS = /^\/(?:\d{1,3}(?:\.\d{1,3}){3}|<unresolved>):\d/
/** Below 1024 a number after a colon is a port only if it is one of these: `status:500` and `postgres:15` name no host. */
const LOW_PORTS: ReadonlySet<number> = new Set([
  21, 22, 25, 53, 80, 81, 88, 110, 111, 143, 179, 389, 443, 445, 465, 514, 587, 636, 853, 873, 990, 993, 995,
])
/** Words that stand where hosts do, as before a colon and a number that is no port. */
const KEYS: ReadonlySet<string> = new Set(
  'attempt attempts code count errno error exit failed id job key line offset order partition pid port request row session size status task timeout took user'.split(
    ' ',
  ),
)
/** Whose name follows was called, without a place where hosts stand, if there is a service of that name. */
const BEFORE_CALLEE =
  /\b(?:invok(?:e|ing)|calling|(?:calls?|requests?|connect(?:ing|ions?)?|publish(?:ing)?) to|(?:gateway|response|reply|error) from|upstream) +["'`]?$/i
/** Whose name follows is who called. */
const BEFORE_CALLER = /\b(?:request|call|called|sent|received|consumed|message|client|user|caller|for)s? (?:from |by |of )?["'`]?$/i
/** Names of several parts are no plain words. */
const COMPOUND = /[\p{L}\p{N}][-_][\p{L}\p{N}]/u
/** An unknown name of one label is a host only in a text about a connection or a name. */
const CONNECTION =
  /no such host|ENOTFOUND|refused|time(?:d )?-?out|reset|unreachable|\bEOF\b|\bdial|connect|ECONN|ETIMEDOUT|x509|certificate|\btls\b|unavailable|deadline|handshake|hang ?up|broken pipe|no route|\b5\d\d\b/i

/** Against overload: an error names a few. */
const MAX_HOSTS = 32
const MAX_WORDS = 64
const MAX_HOST_LENGTH = 253
const SOURCE_FILE =
  /\.(?:[cm]?[jt]sx?|go|py|rb|java|kts?|rs|php|cs|c|cc|cpp|hpp?|h|scala|clj|exs?|erl|sql|json|ya?ml|xml|html?|jar|log|sh|swift|lua|vue|toml|conf|ini)$/
/** How packages are named in the JVM's languages. */
const PACKAGE = /^(?:com|org|net|io|java|javax|jakarta|kotlin|scala|sun|jdk|akka)\./
const LABEL = /^[\p{L}\p{N}_](?:[\p{L}\p{M}\p{N}_-]*[\p{L}\p{M}\p{N}_])?$/u
/** A service's name as only a cluster's resolver knows it: a host wherever it stands. */
const IN_CLUSTER = /^[^.]+\.[^.]+\.svc(?:\.|$)/
const NODE = /^ip-\d+-\d+-\d+-\d+$/
/** A pod of a stateful set, as its governing service's name follows its own: `mq-0.mq-headless.prod`, `kafka-0.kafka`. */
const POD_DNS = /^(.+)-\d+\.(\1(?:-headless)?)(?:\.|$)/
/** Where a dotted name stands alone, its end tells a host from a table or a logger. */
const PUBLIC_END = /\.(?:com|net|org|info|biz|io|dev|app|cloud|ai|tech|online|site|xyz|gov|edu|mil|int|[a-z]{2}|xn--[a-z0-9-]+)$/
/** Last labels of names that only resolve inside: no public top-level domain is among them (IANA's list has none of these). */
const INTERNAL: ReadonlySet<string> = new Set(
  'svc local internal cluster localdomain lan consul corp home intranet private prod production staging stage preprod default test qa uat'.split(
    ' ',
  ),
)

/** The hosts that stand in a text where hosts stand: after a scheme, after an error that names one, before a port. */
export function namedHosts(text: string): readonly NamedHost[] {
  const normal = text.normalize('NFC')
  const found = new Map<string, NamedHost>()
  const add = (name: string, hasPlace: boolean) => {
    const host = found.size < MAX_HOSTS ? toHost(name) : undefined
    if (host === undefined || found.get(host)?.isPlain === false) return
    const isPlain = !hasPlace && !host.includes('.')
    found.set(host, { host, candidates: found.get(host)?.candidates ?? candidatesOf(host), isPlain })
  }
  const rest = normal.replace(URL, (_url, rest: string, at: number) => {
    for (const name of hostsOfUrl(normal.slice(Math.max(0, at - MAX_BEFORE), at), rest)) add(name, true)
    return ' '
  })
  const isOfConnection = CONNECTION.test(rest)
  for (const { 0: token, index } of rest.matchAll(TOKEN)) {
    if (token.length > MAX_HOST_LENGTH + 1 || token !== token.toLowerCase()) continue
    const [before, after] = [
      rest.slice(Math.max(0, index - MAX_BEFORE), index),
      rest.slice(index + token.length, index + token.length + MAX_AFTER),
    ]
    const isBeforePort = isPlaced(token, before.slice(-1), after)
    const isInCluster = IN_CLUSTER.test(token) && BEFORE_TOKEN.test(before.slice(-1))
    const hasPlace = isBeforePort || AROUND_HOST.test(`${before}\0${after}`)
    if (hasPlace || isInCluster || BEFORE_HOST.test(before)) add(token, hasPlace && isOfConnection && !KEYS.has(token))
  }
  return [...found.values()]
}

/** The names in a text that stand where no host does: of whom it says that they were called, and those of several parts but of who called. */
export function namedInWords(text: string): readonly string[] {
  const normal = text.normalize('NFC')
  return [...normal.matchAll(TOKEN)].slice(0, MAX_WORDS).flatMap(({ 0: token, index }) => {
    const before = normal.slice(Math.max(0, index - MAX_BEFORE), index)
    const isCompound = COMPOUND.test(token) && BEFORE_TOKEN.test(before.slice(-1)) && !BEFORE_CALLER.test(before)
    return BEFORE_CALLEE.test(before) || isCompound ? token.replace(/\.$/, '') : []
  })
}

/** Whether a name is one that anybody's resolver should know. */
export function isPublicHost(host: string): boolean {
  return PUBLIC_END.test(host) && !isInternal(host)
}

/** The host that a text is in whole, as an event's entity may be; a dotted name only if it ends as hosts do. */
export function toNamedHost(text: string): NamedHost | undefined {
  const name = text.normalize('NFC')
  const host = name === name.toLowerCase() && !PACKAGE.test(name) ? toHost(name) : undefined
  if (host === undefined) return undefined
  return { host, candidates: candidatesOf(host), isPlain: !PUBLIC_END.test(host) && (!host.includes('.') || !isInternal(host)) }
}

function hostsOfUrl(before: string, rest: string): readonly string[] {
  const scheme = SCHEME.exec(before)?.[1]?.toLowerCase()
  if (scheme === undefined || HOSTLESS_SCHEMES.has(scheme)) return []
  // gRPC's `dns:///payments:8080` has the host in its path.
  const [authority = ''] = rest.replace(/^\//, '').split(AUTHORITY_END, 1)
  return authority
    .slice(authority.lastIndexOf('@') + 1)
    .split(',')
    .flatMap((part) => AUTHORITY_HOST.exec(part)?.[0].toLowerCase() ?? [])
}

function isPlaced(token: string, before: string, after: string): boolean {
  if (!BEFORE_TOKEN.test(before) || SOURCE_FILE.test(token) || PACKAGE.test(token)) return false
  const port = Number(PORT.exec(after)?.[1] ?? 0)
  return (port >= 1024 && port < 65_536) || LOW_PORTS.has(port) || JAVA_ADDRESS.test(after)
}

/** A name that may be a host's: no address, no number, no node; `localhost` is the reporter itself. */
function toHost(name: string): string | undefined {
  const host = name.replace(/\.$/, '')
  const labels = host.split('.')
  if (host.length > MAX_HOST_LENGTH || !labels.every((label) => label.length <= 63 && LABEL.test(label))) return undefined
  const [first = '', last = ''] = [labels[0], labels.at(-1)]
  return /^\d+$/.test(last) || host === 'localhost' || NODE.test(first) ? undefined : host
}

function candidatesOf(host: string): readonly string[] {
  const [first = ''] = host.split('.')
  if (!isInternal(host)) return [host]
  const workloads = matchServices({ serviceName: '', vendor: 'kubernetes', entity: first }).map(({ name }) => name)
  const governing = POD_DNS.exec(host)?.[2]
  return [host, first, ...workloads, ...(governing === undefined ? [] : [governing])]
}

/** What a host within is a service's by: `payments` of `payments`, `payments.internal` and `payments.shop.svc`, else its whole name; `undefined` of hosts outside. */
export function toInsideName(host: string): string | undefined {
  if (!isInternal(host)) return undefined
  const labels = host.split('.')
  return labels.length <= 2 || /\.svc(?:\.|$)/.test(host) ? (POD_DNS.exec(host)?.[1] ?? labels[0]) : host
}

function isInternal(host: string): boolean {
  const last = host.slice(host.lastIndexOf('.') + 1)
  return (
    last === host || INTERNAL.has(last) || /\.svc\./.test(host) || POD_DNS.test(host) || (/[\d-]/.test(last) && !last.startsWith('xn--'))
  )
}
