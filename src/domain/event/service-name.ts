import type { EventType } from './event.ts'

/** Why an event is in a window: it names the service itself, the rule that mapped its entity there, or the service evaluates its flag. */
export const JOIN_RULES = ['service_name', 'entity', 'namespaced_name', 'pod', 'replica_set', 'autoscaler', 'evaluates'] as const

export type JoinRule = (typeof JOIN_RULES)[number]

/** Of two rules by which a change is in a window, the one that is told: the earlier of the list. */
export const strongerRule = (a: JoinRule, b: JoinRule): JoinRule => (JOIN_RULES.indexOf(b) < JOIN_RULES.indexOf(a) ? b : a)

/** The name of a service that an event may concern, and the rule that found it. */
type ServiceMatch = { readonly name: string; readonly rule: JoinRule }

type Names = { readonly serviceName: string; readonly vendor: string; readonly entity: string }

/** Letters and digits Kubernetes draws its random suffixes from (apimachinery `util/rand`): no vowels, no 0, 1, 3. */
const RANDOM = '[bcdfghjklmnpqrstvwxz2-9]'
/** Five of them, but no word that happens to be of such letters. */
const SUFFIX = `(?!(?:https|http2|http3|smtps|mqtts|grpcs|nntps|xmpps)(?:-|$))${RANDOM}{5}`
/** A pod template hash: of today's alphabet (a decimal number, encoded safely), or shorter or hexadecimal of older clusters. */
const TEMPLATE_HASH = `(?:[4-9bcdf]{5,10}|(?=[a-z]*\\d)(?=\\d*[a-z])(?:[0-9a-f]{4,10}|${RANDOM}{6,10}))`
const POD_OF_DEPLOYMENT = new RegExp(`^(.+)-${TEMPLATE_HASH}-[0-9a-z]{3,5}$`)
/** The same as today's Kubernetes makes it, which nothing else looks like. */
const STRICT_POD_OF_DEPLOYMENT = new RegExp(`^(.+)-(?:[4-9bcdf]{8,10}|(?=[a-z]*\\d)${RANDOM}{8,10})-${SUFFIX}$`)
const REPLICA_SET = new RegExp(`^(.+)-(?=[4-9bcdf]{8,10}$|(?:[a-z]*\\d){2})${TEMPLATE_HASH}$`)
const POD_OF_SET = new RegExp(`^(.+)-(?:${SUFFIX}|(\\d{1,4}))$`)
/** A year, or a number after a date, is part of a name. */
const YEAR = /^(?:19|20)\d\d$/
const DATED = /-(?:19|20)\d{6}$/
/** Software that is named with its major version, which no ordinal of a set is likely to reach. */
const VERSIONED = /(?:^|-)(?:postgres|postgresql|pg|mysql|mariadb|mongo|mongodb|redis|kafka|elasticsearch|node|python|java|jdk|php|ruby)$/
const FIRST_VERSION = 5

/** Names with two generated levels and those of operators; the first group is the workload. */
const GENERATED: readonly RegExp[] = [
  // A Knative revision: its deployment, replica set and pods.
  new RegExp(`^(.+)-(?:\\d{5}|${SUFFIX})-deployment(?:-${TEMPLATE_HASH}(?:-${SUFFIX})?)?$`),
  // JobSet: job, its index, its pod's index.
  new RegExp(`^(.+)-[a-z]+-\\d{1,4}-\\d{1,4}-${SUFFIX}$`),
  // A cron job's run (minutes since 1970) and its pods; a deployment config's, an indexed job's.
  new RegExp(`^(.+)-2[5-9]\\d{6}(?:-${SUFFIX})?$`),
  new RegExp(`^(.+)-\\d{1,4}-(?:${SUFFIX}|deploy|build)$`),
  // Argo Workflows (a hash of the node's name), Tekton, KEDA's scaled jobs and others with generated names.
  new RegExp(`^(.+?)-${SUFFIX}-(?:[a-z0-9-]+-)?\\d{8,10}$`),
  new RegExp(`^(.+?)-${SUFFIX}-[a-z0-9-]+-pod$`),
  new RegExp(`^(.+)-${SUFFIX}-${SUFFIX}$`),
  // CloudNativePG's jobs, Flink, Spark, Airflow.
  new RegExp(`^(.+)-\\d{1,4}-(?:initdb|join|import|full-recovery|snapshot-recovery|major-upgrade)-${SUFFIX}$`),
  /^(.+-taskmanager)-\d{1,4}-\d{1,4}$/,
  /^(spark-.+|.+-[0-9a-f]{16})-driver$/,
  /^(.+)-[0-9a-f]{32}$/,
  /^(.+)-(?=[a-z](?:[a-z]*\d){3})[a-z0-9]{8}$/,
]
const AUTOSCALER = /^(?:keda-hpa-(.+)|(.+)-(?:hpa|vpa|pdb))$/
const NODE = /^(?:ip-\d+-\d+-\d+-\d+(?:\..*)?|gke-.+-[0-9a-f]{8}-[a-z0-9]{4}|aks-.+-vmss[0-9a-z]{6})$/
/** The name of an Event object ends in the time it was made. */
const EVENT_OBJECT = /^(.+)\.[0-9a-f]{16}$/
const PORT = /:\d{1,5}$/
const INTERNAL_HOST = /^([^.\s/:]+)(?:\.([^.\s/:]+))?\.([^.\s/:]+)\.svc(?:\.[^\s/:]+)?\.?$/
const KIND_PATH =
  /^[^/\s:]+\/(?:pod|deployment|replicaset|statefulset|daemonset|job|cronjob|service|horizontalpodautoscaler|node)s?(?:\.[a-z0-9.-]+)?\/([^/\s:]+)$/i
const NAMESPACE_AND_POD = /^[^:\s/]+:([^:\s/]*[a-z][^:\s/]*)$/
const NAMESPACED = /^([^/\s]+)\/([^/\s]+)$/

const PLAIN_KEY = /^[a-z\d]+$/

/**
 * The key under which a service name is compared: case and separators do not count. Names without a letter or digit
 * keep their own spelling.
 */
export function toNameKey(name: string): string {
  if (PLAIN_KEY.test(name)) return name
  const normal = name.normalize('NFC')
  return normal.toLowerCase().replace(/[\s\-_./:]+/g, '') || normal
}

/**
 * Every service, besides the one it names, whose window an event belongs to once such a service exists: the one its
 * entity names (argocd's app), and the workload behind a pod, replica set, autoscaler or `<namespace>/<object>` name.
 */
export function matchServices({ serviceName, vendor, entity }: Names): (ServiceMatch & { readonly nameKey: string })[] {
  const matches = new Map<string, ServiceMatch & { readonly nameKey: string }>()
  for (const match of [...toWorkloads(serviceName, vendor), { name: entity, rule: 'entity' as const }, ...toWorkloads(entity, vendor)]) {
    if (match.name === serviceName) continue
    const nameKey = toNameKey(match.name)
    if (!matches.has(nameKey)) matches.set(nameKey, { ...match, nameKey })
  }
  return [...matches.values()]
}

/** They report deploys under their own names, and tell in the entity of which application. */
const DEPLOYERS: ReadonlySet<string> = new Set(['argocd', 'flux'])
const DEPLOYER_NAME = /argo|flux|gitops|^unknown$|(?:^|-)(?:application|source|kustomize|helm|notification)-controller(?:-|$)/i

/** The service that an event opens besides the one it names: whose deploy it reports, or the workload behind a made-up name. */
export function openedService(event: Names & { readonly eventType: EventType }): string | undefined {
  const { serviceName, vendor, entity, eventType } = event
  if (eventType !== 'deploy' || !DEPLOYERS.has(vendor.toLowerCase()) || !DEPLOYER_NAME.test(serviceName))
    return workloadOfFallbackName(event)
  return NAMESPACED.exec(entity)?.[2] ?? entity
}

/** The service that an event is shown with: the one that it opens, where it names another only because that reports it. */
export function toOwner(event: Names & { readonly eventType: EventType }): string {
  return openedService(event) ?? event.serviceName
}

/**
 * The workload that stands behind a `service_name` the kubernetes plugin made up from an object's name
 * (`prod/checkout-7d9f8b6c5-x2x9k` → `checkout`). Without a service of its own, such events would never meet.
 */
export function workloadOfFallbackName({ serviceName, vendor }: Names): string | undefined {
  if (vendor.toLowerCase() !== 'kubernetes' || !NAMESPACED.test(serviceName)) return undefined
  return toWorkloads(serviceName, vendor).at(-1)?.name
}

function toWorkloads(text: string, vendor: string): ServiceMatch[] {
  const [, , object] = NAMESPACED.exec(text) ?? []
  if (object !== undefined && !PORT.test(object)) {
    return [{ name: object, rule: 'namespaced_name' }, ...workloadsOfObject(object, true)]
  }
  const isKubernetes = vendor.toLowerCase() === 'kubernetes'
  const named = objectOf(text, isKubernetes)
  if (named.length === 0) return workloadsOfObject(text, isKubernetes)
  return named.flatMap((name) => [{ name, rule: 'namespaced_name' as const }, ...workloadsOfObject(name, true)])
}

/** The objects that a path, an address or an Event object's name is of. */
function objectOf(text: string, isKubernetes: boolean): readonly string[] {
  const address = text.replace(PORT, '')
  const [, host, governing, inNamespace] = INTERNAL_HOST.exec(address) ?? []
  if (host !== undefined && inNamespace !== undefined) return governing === undefined ? [host] : [host, governing.replace(/-headless$/, '')]
  if (address !== text && !/[\s/]/.test(address)) return [address]
  const object = KIND_PATH.exec(text)?.[1]
  if (object !== undefined) return [object]
  const named = isKubernetes ? (EVENT_OBJECT.exec(text)?.[1] ?? NAMESPACE_AND_POD.exec(text)?.[1]) : undefined
  return named === undefined ? [] : [named]
}

function workloadsOfObject(name: string, isKubernetes: boolean): ServiceMatch[] {
  if (NODE.test(name)) return []
  if (!isKubernetes) return toMatch(STRICT_POD_OF_DEPLOYMENT.exec(name)?.[1], 'pod')
  const event = EVENT_OBJECT.exec(name)?.[1]
  if (event !== undefined) return [{ name: event, rule: 'namespaced_name' }, ...workloadsOfObject(event, true)]
  const [, scaled, guarded] = AUTOSCALER.exec(name) ?? []
  if (scaled !== undefined || guarded !== undefined) return toMatch(scaled ?? guarded, 'autoscaler')
  const generated = GENERATED.map((pattern) => pattern.exec(name)?.[1]).find((workload) => workload !== undefined)
  const levels = generated === undefined ? [] : toMatch(generated, 'pod')
  const deployment = POD_OF_DEPLOYMENT.exec(name)?.[1]
  if (deployment !== undefined) return levels.length > 0 ? levels : toMatch(deployment, 'pod')
  const replicaSet = REPLICA_SET.exec(name)?.[1]
  if (replicaSet !== undefined && levels.length === 0) return toMatch(replicaSet, 'replica_set')
  const set = setOf(name)
  return [...toMatch(set, 'pod'), ...levels.filter((level) => level.name !== set)]
}

function toMatch(name: string | undefined, rule: JoinRule): ServiceMatch[] {
  return name === undefined ? [] : [{ name, rule }]
}

/** The stateful or daemon set of a pod; a year and a version after a name are part of it. */
function setOf(name: string): string | undefined {
  const [, set, ordinal] = POD_OF_SET.exec(name) ?? []
  if (set === undefined) return undefined
  const isPart =
    ordinal !== undefined && (YEAR.test(ordinal) || DATED.test(set) || (Number(ordinal) >= FIRST_VERSION && VERSIONED.test(set)))
  return isPart ? undefined : set
}

/** Why what would open one more service is refused, and the way out. */
export function tooManyServices(maxServices: number): string {
  return `the tenant has ${maxServices} services, and may have no more: name one that is there, wait until silent ones are removed, or have MAX_SERVICES raised`
}
