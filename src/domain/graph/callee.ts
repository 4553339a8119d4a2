import { compareText } from '../compare.ts'
import { type EventType, isCallFailure } from '../event/event.ts'
import { matchServices, toNameKey } from '../event/service-name.ts'
import { isPublicHost, type NamedHost, namedHosts, namedInWords, toInsideName, toNamedHost } from './host.ts'
import { namedProvider } from './provider.ts'

/** Whom a failing call was to reach: a service of the tenant, or an external dependency by the host that the text names. */
export type Callee = {
  /** Whether a resolver answered that there is no such name. */
  readonly isUnresolved?: true
} & (
  | { readonly kind: 'service'; readonly key: string; readonly name: string }
  | {
      readonly kind: 'external'
      readonly host: string
      /** Of a host within: the service that it is of, which never spoke. */
      readonly inside?: string
    }
)

/** A callee's key: a host's outside is one that no service has. */
export function toCalleeKey(callee: Callee): string {
  return callee.kind === 'service' ? callee.key : toNameKey(callee.inside ?? `@${callee.host}`)
}

/** The parts of an event or of a window's entry that may show a call. */
export type CallSource = {
  readonly serviceName: string
  readonly vendor: string
  readonly eventType: EventType
  readonly entity: string
  readonly newValue: string | null
}

/** The services that texts may name, by name key. */
export type KnownServices = ReadonlyMap<string, string>

const MAX_CALLEES = 8
/** They speak of themselves or of what they watch; their tables, groups, pods and apps are no callees. */
const OBSERVERS: ReadonlySet<string> = new Set(['kubernetes', 'argocd', 'postgres', 'redis', 'kafka'])
const KIND_PREFIX = /^[a-z]+\//i
/** What resolvers and the libraries that ask them say: Node, Go, glibc, musl, macOS, curl, Java, gRPC, libpq, Python. */
const NAMING_FAILURE =
  /\b(?:ENOTFOUND|EAI_AGAIN|EAI_NONAME|SERVFAIL|NXDOMAIN|UnknownHostException)\b|no such host|server misbehaving|zero addresses|name or service not known|failure in name resolution|nodename nor servname|(?:could not|couldn't|failed to|unable to) resolve host\b|name does not resolve|getaddrinfo failed|could not translate host name|\blookup \S{1,253} on \S{1,64}:53: (?:read udp|dial udp|i\/o t)|tcp: lookup \S{1,253} i\/o t/i
/** A resolver's answer that there is no such name. */
const NO_SUCH_NAME = /\b(?:ENOTFOUND|NXDOMAIN)\b|no such host/i
const RESOLVER = /(?:^|-)(?:core|kube-?)?dns(?:$|-)/
/** The host that stands for naming where no service of the tenant does it. */
export const DNS: Callee = { kind: 'external', host: 'dns' }

/** Whether who reports a failure speaks of itself or of what it watches: then the entity is what fails, not a callee. */
export function isObserver(vendor: string): boolean {
  return OBSERVERS.has(vendor.toLowerCase())
}

/** An index of service names, so that texts can be searched for them. Of two names with one key the lesser stays. */
export function toKnownServices(names: Iterable<string>): KnownServices {
  return new Map(
    [...new Set(names)]
      .toSorted()
      .reverse()
      .map((name) => [toNameKey(name), name]),
  )
}

/**
 * Those whom a failure shows its reporter did not reach; none when it is a state of the reporter. The one that the entity
 * names, else those whose hosts stand in the text; a name that was not found is a call to the resolver.
 */
export function findCallees(source: CallSource, known: KnownServices): readonly Callee[] {
  if (!isCallFailure(source.eventType) || isObserver(source.vendor)) return []
  const callees = calleesOf(source, known)
  return callees.length > 0 ? callees : findProvider(source, known)
}

/** The callees that the text alone names, of whatever a service says of itself: a crash tells who was called as well. */
export function findCalleesInText(source: CallSource, known: KnownServices): readonly Callee[] {
  if (source.newValue === null || isObserver(source.vendor)) return []
  if (NAMING_FAILURE.test(source.newValue)) return findUnresolved(source.newValue, source, known)
  return toCallees(namedHosts(source.newValue), source, known)
}

/** The services that a text names in passing: too little to learn from, enough to read one failure by. */
export function findCalleesInWords(source: CallSource, known: KnownServices): readonly Callee[] {
  if (!isCallFailure(source.eventType) || source.newValue === null) return []
  const own = keysOf(source)
  const service = namedInWords(source.newValue)
    .flatMap((name) => firstKnown([name], known) ?? [])
    .find(({ key }) => !own.has(key))
  return service ? [service] : []
}

function calleesOf(source: CallSource, known: KnownServices): readonly Callee[] {
  if (source.newValue !== null && NAMING_FAILURE.test(source.newValue)) return findUnresolved(source.newValue, source, known)
  const { entity, vendor } = source
  const name = entity.replace(KIND_PREFIX, '')
  const own = keysOf(source)
  const named = firstKnown([name], known)
  if (named && !own.has(named.key)) return [named]
  const names = [name, ...workloadsOf(entity, vendor)]
  const service = named ?? firstKnown(names, known)
  if (service && !own.has(service.key)) return [service]
  if (names.some((name) => own.has(toNameKey(name)))) return findCalleesInText(source, known)
  const host = toNamedHost(entity)
  const byEntity = toCallees(host ? [host] : namedHosts(entity), source, known)
  return byEntity.length > 0 ? byEntity : findCalleesInText(source, known)
}

/** Whoever a text without any host says is away; a service of the tenant's by that name is meant first. */
function findProvider(source: CallSource, known: KnownServices): readonly Callee[] {
  const opened = source.eventType === 'circuit_open' ? ' unavailable' : ''
  const name = namedProvider(`${source.entity} ${source.newValue ?? ''}${opened}`)
  if (name === undefined || keysOf(source).has(toNameKey(name))) return []
  return [firstKnown([name], known) ?? { kind: 'external', host: name }]
}

/** Each once, and without the reporter itself. A host that leads to no known service is an external dependency. */
function toCallees(hosts: readonly NamedHost[], source: CallSource, known: KnownServices): readonly Callee[] {
  const own = keysOf(source)
  const found = new Map<string, Callee>()
  for (const { host, candidates, isPlain } of hosts) {
    const service = firstKnown(candidates, known)
    if (candidates.some((name) => own.has(toNameKey(name)))) continue
    if (service) found.set(service.key, service)
    else if (!isPlain) {
      const inside = toInsideName(host)
      found.set(`//${host}`, { kind: 'external', host, ...(inside !== undefined && { inside }) })
    }
    if (found.size === MAX_CALLEES) break
  }
  return [...found.values()]
}

/** The keys of the reporter, who is no callee of its own. */
function keysOf({ serviceName, vendor }: CallSource): ReadonlySet<string> {
  return new Set([serviceName, ...workloadsOf(serviceName, vendor)].map(toNameKey))
}

function workloadsOf(name: string, vendor: string): readonly string[] {
  return matchServices({ serviceName: '', vendor, entity: name }).map((match) => match.name)
}

function firstKnown(names: readonly string[], known: KnownServices): (Callee & { readonly kind: 'service' }) | undefined {
  for (const candidate of names) {
    const key = toNameKey(candidate)
    const name = known.get(key)
    if (name !== undefined) return { kind: 'service', key, name }
  }
  return undefined
}

/**
 * The resolver and, where it answered that there is none, the public host: there both may be at fault. Without a resolver of one's own the
 * host alone, or who should bear the name within.
 */
function findUnresolved(text: string, source: CallSource, known: KnownServices): readonly Callee[] {
  // A workload before its pods, whose names are longer.
  const resolvers = [...known.values()].filter((service) => RESOLVER.test(service.toLowerCase()))
  const name = resolvers.toSorted((a, b) => a.length - b.length || compareText(a, b))[0]
  const told = NO_SUCH_NAME.test(text) ? toCallees(namedHosts(text), source, known) : []
  if (name !== undefined) {
    const outside = told.filter((callee) => callee.kind === 'external' && callee.inside === undefined && isPublicHost(callee.host))
    return [...outside, { kind: 'service', key: toNameKey(name), name }]
  }
  return told.length > 0 ? told.map((callee): Callee => ({ ...callee, isUnresolved: true })) : [DNS]
}
