/** Which addresses may be sent to. */
export type AddressRules = {
  /** Names of this installation: it never tells itself. */
  readonly ownHosts: readonly string[]
  /** Lets this machine's own addresses through, over HTTP too: for a local stack. */
  readonly allowsLoopback: boolean
}

const LOOPBACK = /^(?:localhost|127(?:\.\d+){3}|\[::1\])$/
/** What no public name ends in: clusters' own names, RFC 6761, RFC 6762, RFC 7686, RFC 8375, RFC 9476, and ICANN's `internal`. */
const PRIVATE_ENDING =
  /(?:^|\.)(?:localhost|local|internal|intranet|private|corp|home|lan|home\.arpa|localdomain|svc|cluster|test|invalid|example|onion|alt)$/
/** Public names that say a private address, or a cloud's own. */
const SAYS_ADDRESS = /(?:^|\.)(?:(?:nip|sslip|xip)\.io|traefik\.me|localtest\.me|lvh\.me|vcap\.me|metadata\.goog)$/
const IP_ADDRESS = /^(?:\[.*\]|\d+(?:\.\d+){3})$/
const MAX_LENGTH = 2_048

/**
 * Why an address is not sent to; `undefined`: it may be. Names only, for no certificate vouches for who has a number; the
 * parser has turned decimal, octal and hexadecimal forms into dotted ones by then. What a public name resolves to is for the
 * platform to refuse: a Worker's requests reach no private network.
 */
export function findFaultOfAddress(text: string, { ownHosts, allowsLoopback }: AddressRules): string | undefined {
  if (text.length > MAX_LENGTH || !URL.canParse(text)) return 'url must be an https address'
  const { protocol, hostname, username, password, hash } = new URL(text)
  const host = hostname.toLowerCase().replace(/(?<!\.)\.+$/, '')
  if (username !== '' || password !== '') return 'url must not hold a name or password'
  if (hash !== '') return 'url must not have a fragment'
  if (LOOPBACK.test(host) && allowsLoopback && /^https?:$/.test(protocol)) return undefined
  if (protocol !== 'https:') return 'url must be an https address'
  if (IP_ADDRESS.test(host)) return 'url must name a host, not its number'
  if (!host.includes('.') || PRIVATE_ENDING.test(host) || SAYS_ADDRESS.test(host)) return 'url must name a public host'
  return ownHosts.includes(host) ? 'url must not be this installation’s own' : undefined
}
