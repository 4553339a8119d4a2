import type { WindowEntry } from '../window/window.ts'
import type { Change, Item, Observation } from './model.ts'

/** What begins within a minute may be of one fault. */
export const AT_ONCE_MS = 60_000
/** How many calls of one service that fail at once have a cause in common: two may be chance. */
export const MIN_TOGETHER = 3
/** What its clients do to a store or make slow, by degrees: no sign that anything broke there. */
const OF_CLIENTS =
  /^(?:slow_|deadlock|lock_|statement_timeout|autovacuum|temp_file|rebalance|eviction|terminated(?! by signal)|killing|started)|latency|(?<!\d)\d+(?:\.\d+)? ?(?:m?s|[kmg]i?b)\b/i
/** What a database tells of the statements and passwords that it is sent. */
const ECHO =
  /\bduplicate (?:key|entry)\b|violates [\w-]{1,16} ?\w{1,16} constraint|\bsyntax error\b|\bcolumn \S{1,64} does ?n['o]t exist|unknown column|password authentication failed|denied for (?:user|table|schema|relation)/i
/** What fills up by itself, however strained: no client takes it back. */
const OF_DISKS = /disk|volume|space|\bwal\b|bgsave/i
/** What says that more is asked of it than it can do. */
const LOAD = /overload|too many (?:\w{1,16} )?requests|\b(?:server|system) (?:is )?(?:too )?busy|\bcpu\W{0,3}\d|load.?shed/i
const MEMORY = /\boom|memory|heap/i
const SHORT = /\b(?:9\d|100)(?:\.\d+)? ?%/
/** Exceptions of code: what it was given or holds is not as it was written for. */
const CODE =
  /\b(?:TypeError|ReferenceError|SyntaxError|NullPointer\w*|NullReference\w*|NoMethodError|NameError|AttributeError|KeyError|IndexError|ValueError|ZeroDivisionError|ClassCast\w*|IndexOutOfBounds\w*|NumberFormat\w*|IllegalArgument\w*|nil pointer|index out of range|SIGSEGV|segmentation fault)\b|cannot read propert|is not a function|is undefined/i
/** What a host answers that was reached, and would not do what was asked. */
const REFUSAL =
  /\b(?:400 bad request|401 unauthorized|403 forbidden|404 not found|409 conflict|410 gone|422 unprocessable)\b|\b(?:status|code|http\/\d(?:\.\d)?)\W{1,3}4(?:0[01345679]|1[0-57]|22)\b/i
/** It answers so whoever asks more than it may. */
const LIMITED =
  /\b429\b(?! ?m?s\b)|too many requests|rate.?limit(?:ed| exceeded| reached|error)|(?:quota|throughput) ?(?:has been |was )?exceeded|(?<!error )(?<!failure )\brate exceeded|reduce your request rate|exceeded (?:your|the) (?:current )?quota|throttl(?:ed|ing)|resource_?exhausted/i
/** What whoever asks without the right password, key or role is told. */
const DENIED =
  /access ?denied|not authori[sz]ed|unauthori[sz]ed|forbidden|permission denied|authentication failed|invalid[\w ]{0,20} (?:key|credentials?|password|token)|\b40[13]\b/i
/** The same in words alone, for numbers are also times and sizes; and what answers so without having looked. */
const RIGHTLESS =
  /access ?denied|not authori[sz]ed|permission denied|invalid(?! or)[\w ]{0,20} (?:key|credentials?|password|token)|invalid_grant/i
const FAILED_ITSELF = /\b5\d\d\b|unavailable|suspended/i
/** What proves it, where calls fail for that. */
const PROOF = /certificate|x509|\b(?:tls|ssl|pkix)\b|handshake|signature/i
/** Settings of what proves who one is, and of who may do what. */
const SECRETS = /vault|secret|passw|credential|token|api-?key/i
const ROLES =
  /(?:^|[^a-z])(?:roles?|(?:iam|access|bucket|authorization|key|resource)[-_ ]?polic(?:y|ies)|polic(?:y|ies)\/|iam|permissions?|grants?|rbac|acls?)(?:[^a-z]|$)/i
/** Settings of who may reach whom, and what whoever may not is told. */
const NETWORK =
  /network-?polic|peer-?authentication|(?:^|[^a-z])(?:security[-_ ]?groups?|firewall|n(?:etwork[-_ ]?)?acl|route[-_ ]?table|vpc|iptables|egress)(?:[^a-z]|$)/i
const UNREACHED = /time(?:d)?[ -]?out|deadline|refused|unreachable|no route|reset|hang ?up|\bE(?:TIMEDOUT|CONN|HOST|NET)/i
/** What is told where nobody takes calls at all. */
const AWAY =
  /\bECONNREFUSED|connection refused|no route to host|EHOSTUNREACH|shutting down|starting up|recovery mode|no (?:healthy|available|ready) (?:upstream|endpoint|server)/i
export const NODE_TROUBLE =
  /^(?:Node(?:HasMemory|Memory|HasDisk|Disk|PID)\w*Pressure|EvictionThresholdMet|NodeNotReady|NodeNotSchedulable)$/
/** Who drains a node says so first. */
const CORDONED = /^NodeNotSchedulable$/
/** What clients and libraries say of what had a last day. */
const EXPIRY =
  /\b(?:certificate|token|credential|licen[cs]e|key)s?\b[^.:;]{0,32}\bexpired\b|\bexpired (?:[\w/-]{1,32} ){0,2}(?:certificate|token|credential|licen[cs]e|key)/i
/** What the system says to whoever writes to a volume that is full. */
const FULL_DISK = /no space left|\bENOSPC\b|\b(?:disk|volume|filesystem) (?:is )?full|disk quota exceeded/i
export const EVICTED = /^(?:Evicted|TaintManagerEviction)$/
/** What becomes of pods whose node is in trouble; what their own limits and code do to them is none of it. */
const OFF_NODE = /^(?:Evicted|TaintManagerEviction|NodeNotReady|NodeLost|Preempt\w*|terminated|killing|unhealthy|probe_failure)$/i
/** How stores are named, by parts. */
const STORE_NAME = /(?:^|[-_./])(?:db|database|sql|postgres|pg|mysql|mongo|redis|cache|kafka|rabbitmq|mq|queue|broker)(?:$|[-_./\d])/i
const BESIDE_MS = 2 * 60_000
const SLACK_MS = 30_000
/** A network that forbids calls shows in them at once, or when connections are renewed. */
const CUTTING_MS = 10 * 60_000
/** Their reports are each of one thing: a database, a group of consumers. */
export const STORES: ReadonlySet<string> = new Set(['postgres', 'redis', 'kafka', 'mysql', 'mongodb'])

/** Whether something broke at a service by its own account, more than its clients do to it. */
export function isBroken({ isCall, reports }: Item): boolean {
  return !isCall && reports.some(({ entry }) => !OF_CLIENTS.test(entry.newValue ?? '') && !isEcho(entry))
}

function isEcho({ vendor, newValue }: WindowEntry): boolean {
  return STORES.has(vendor) && ECHO.test(newValue ?? '')
}

/** Whether all that a service tells of itself is that it is used more than it can bear, which whoever uses it may have caused. */
export function isStrain({ isCall, reports }: Item): boolean {
  return !isCall && reports.every(({ entry }) => entry.eventType === 'saturation' && !OF_DISKS.test(entry.newValue ?? ''))
}

/** Whether it is load that a service tells of, which comes and goes by itself. */
export function isOfLoad({ isCall, reports }: Item): boolean {
  return !isCall && reports.every(({ entry }) => LOAD.test(entry.newValue ?? ''))
}

/** Whether something is about memory: a limit of it, say. */
export function isOfMemory({ entity, newValue }: WindowEntry): boolean {
  return MEMORY.test(`${entity} ${newValue ?? ''}`)
}

/** Whether a service was ended for want of memory. */
export function isOutOfMemory({ isCall, reports }: Pick<Item, 'isCall' | 'reports'>): boolean {
  return !isCall && reports.some(({ entry }) => entry.eventType === 'restart' && isOfMemory(entry))
}

/** Whether a service was nearly out of memory. */
export function isShortOfMemory({ isCall, reports }: Pick<Item, 'isCall' | 'reports'>): boolean {
  return !isCall && reports.some(({ entry }) => entry.eventType === 'saturation' && isOfMemory(entry) && SHORT.test(entry.newValue ?? ''))
}

/** Whether all that a service tells of itself is that its code came to what it was not written for. */
export function isOfCode({ isCall, reports }: Pick<Item, 'isCall' | 'reports'>): boolean {
  return !isCall && reports.every(({ entry }) => CODE.test(entry.newValue ?? ''))
}

export type Refusal = 'wrong' | 'too_much'

/** For what calls were refused, where that is all that is told of them: whom they reached is up. */
export function toRefusal({ isCall, reports }: Pick<Item, 'isCall' | 'reports'>): Refusal | undefined {
  if (!isCall) return undefined
  const others = reports.filter(({ entry }) => !isRefused(entry.newValue ?? ''))
  if (others.length === 0) return 'wrong'
  return others.every(({ entry }) => LIMITED.test(entry.newValue ?? '')) ? 'too_much' : undefined
}

/** Whether calls find nobody who takes them. */
export function findsNobody({ isCall, reports }: Pick<Item, 'isCall' | 'reports'>): boolean {
  return isCall && reports.some(({ entry }) => AWAY.test(entry.newValue ?? ''))
}

/** Whether what is told of a refusal is in words alone, without a status. */
export function isRightless({ reports }: Pick<Item, 'reports'>): boolean {
  return reports.every(({ entry }) => !REFUSAL.test(entry.newValue ?? ''))
}

function isRefused(text: string): boolean {
  return REFUSAL.test(text) || (RIGHTLESS.test(text) && !UNREACHED.test(text) && !FAILED_ITSELF.test(text))
}

/** Whether whoever reports a failure was denied what it asked for. */
export function isDenied({ reports }: Pick<Item, 'reports'>): boolean {
  return reports.some(({ entry }) => DENIED.test(entry.newValue ?? ''))
}

/** Whether it failed for who one is, or how one proves it. */
export function isOfTrust({ reports }: Pick<Item, 'reports'>): boolean {
  return reports.some(({ entry }) => DENIED.test(entry.newValue ?? '') || PROOF.test(entry.newValue ?? ''))
}

/** Whether a setting is of who may do what, or of what proves it. */
export function isOfAccess(entry: WindowEntry): boolean {
  return entry.eventType === 'config_change' && (isOfSecrets(entry) || ROLES.test(`${entry.vendor} ${entry.entity}`))
}

/** Whether it is of what proves it. */
export function isOfSecrets({ vendor, entity }: WindowEntry): boolean {
  return SECRETS.test(`${vendor} ${entity}`)
}

/** Whether it is of who may reach whom. */
export function isOfNetwork({ eventType, vendor, entity }: WindowEntry): boolean {
  return eventType === 'config_change' && NETWORK.test(`${vendor} ${entity}`)
}

/** Whether calls went unanswered, as where a network forbids them. */
export function isUnreached({ isCall, reports }: Pick<Item, 'isCall' | 'reports'>): boolean {
  return isCall && reports.some(({ entry }) => UNREACHED.test(entry.newValue ?? ''))
}

/** The calls that went unanswered soon after a change of who may reach whom, unless that names a service. */
export function listCutOff<Each extends Item>(
  { lead, atMs }: Change,
  items: readonly Each[],
  { slackMs }: { readonly slackMs: number },
): readonly Each[] {
  if (!isOfNetwork(lead.entry) || lead.named) return []
  return items.filter((item) => isUnreached(item) && item.onsetMs >= atMs - slackMs && item.onsetMs <= atMs + CUTTING_MS)
}

/** Whether all that is told is that something had a last day: only time brought that. */
export function isExpired({ reports }: Pick<Item, 'reports'>): boolean {
  return reports.every(({ entry }) => EXPIRY.test(entry.newValue ?? ''))
}

/** Whether all that is told is that a volume is full, and what crashed for it. */
export function isFullDisk({ reports }: Pick<Item, 'reports'>): boolean {
  const others = reports.filter(({ entry }) => !FULL_DISK.test(entry.newValue ?? ''))
  return others.length < reports.length && others.every(({ entry }) => entry.eventType === 'restart')
}

/** Whether a node was closed to pods, as before it is drained. */
export function isCordoned({ reports }: Pick<Item, 'reports'>): boolean {
  return reports.some(({ entry }) => CORDONED.test(entry.newValue ?? ''))
}

/** Whether something began just before what may come from it, though no way is known, as far as clocks tell. */
export function isJustBefore(ms: number, sinceMs: number): boolean {
  return ms <= sinceMs + SLACK_MS && ms >= sinceMs - BESIDE_MS
}

/** Whether a node tells of itself; what is told of a pod on it, by whose service, is none of it. */
export function isOfNode({ entry }: Observation): boolean {
  return NODE_TROUBLE.test(entry.newValue ?? '') && !isOffNode(entry)
}

/** Whether a pod was restarted, taken away or no longer answered, as where its node is in trouble. */
export function isOffNode({ eventType, vendor, newValue, joinedBy }: WindowEntry): boolean {
  const isOfPod = eventType === 'restart' || (vendor === 'kubernetes' && (joinedBy === 'pod' || joinedBy === 'replica_set'))
  return isOfPod && OFF_NODE.test(newValue ?? '')
}

/** Whether a service is a database, cache or broker: by its name, or by what it reports. */
export function isStore(name: string, own: readonly Observation[]): boolean {
  return STORE_NAME.test(name) || own.some(({ entry }) => STORES.has(entry.vendor))
}

/** Whether pods left a node: what a restart is that concerns two services. */
export function isEviction({ isCall, reports }: Pick<Item, 'isCall' | 'reports'>): boolean {
  return isCall && reports[0]?.entry.eventType === 'restart'
}

/** Whether they were evicted, rather than failed there. */
export function isOfEviction({ reports }: Pick<Item, 'reports'>): boolean {
  return EVICTED.test(reports[0]?.entry.newValue ?? '')
}

/** Whether a store or a node tells of itself, whoever uses it. */
export function isOfInfrastructure({ reports }: Item): boolean {
  return reports.some((report) => STORES.has(report.entry.vendor) || isOfNode(report))
}
