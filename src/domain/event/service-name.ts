/** Why an event is in a window: it names the service itself, or the rule that mapped its entity there. */
export const JOIN_RULES = ['service_name', 'entity', 'namespaced_name', 'pod', 'replica_set', 'autoscaler'] as const

export type JoinRule = (typeof JOIN_RULES)[number]

/** The name of a service that an event may concern, and the rule that found it. */
export type ServiceMatch = { readonly name: string; readonly rule: JoinRule }

type Names = { readonly serviceName: string; readonly vendor: string; readonly entity: string }

/** Letters and digits Kubernetes draws its random suffixes from (apimachinery `util/rand`): no vowels, no 0, 1, 3. */
const RANDOM = '[bcdfghjklmnpqrstvwxz2-9]'
/** A pod template hash: eight to ten such characters today, shorter or hexadecimal in older clusters. */
const TEMPLATE_HASH = `(?=[a-z]*\\d)(?!\\d{1,7}-)(?:[0-9a-f]{4,10}|${RANDOM}{6,10})`
const POD_OF_DEPLOYMENT = new RegExp(`^(.+)-${TEMPLATE_HASH}-[0-9a-z]{3,5}$`)
/** The same as today's Kubernetes makes it, which nothing else looks like. */
const STRICT_POD_OF_DEPLOYMENT = new RegExp(`^(.+)-(?=[a-z]*\\d)${RANDOM}{8,10}-${RANDOM}{5}$`)
const POD_OF_SET = new RegExp(`^(.+)-(?:${RANDOM}{5}|\\d{1,3})$`)
const REPLICA_SET = new RegExp(`^(.+)-(?=(?:[a-z]*\\d){2})${TEMPLATE_HASH}$`)
const AUTOSCALER = /^(.+)-hpa$/
const NAMESPACED = /^([^/\s]+)\/([^/\s]+)$/

/**
 * The key under which a service name is compared: case and separators do not count. Names without a letter or digit
 * keep their own spelling.
 */
export function toNameKey(name: string): string {
  return name.toLowerCase().replace(/[\s\-_./:]+/g, '') || name
}

/**
 * Every service, besides the one it names, whose window an event belongs to once such a service exists: the one its
 * entity names (argocd's app), and the workload behind a pod, replica set, autoscaler or `<namespace>/<object>` name.
 */
export function matchServices({ serviceName, vendor, entity }: Names): ServiceMatch[] {
  const matches = [...toWorkloads(serviceName, vendor), { name: entity, rule: 'entity' as const }, ...toWorkloads(entity, vendor)]
  const seen = new Set<string>()
  return matches.filter(({ name }) => {
    const key = toNameKey(name)
    if (name === serviceName || seen.has(key)) return false
    seen.add(key)
    return true
  })
}

/**
 * The workload that stands behind a `service_name` the kubernetes plugin made up from an object's name
 * (`prod/checkout-7d9f8b6c5-x2x9k` → `checkout`). Without a service of its own, such events would never meet.
 */
export function workloadOfFallbackName({ serviceName, vendor }: Names): string | undefined {
  if (vendor !== 'kubernetes' || !NAMESPACED.test(serviceName)) return undefined
  return toWorkloads(serviceName, vendor).at(-1)?.name
}

function toWorkloads(text: string, vendor: string): ServiceMatch[] {
  const [, , object] = NAMESPACED.exec(text) ?? []
  const name = object ?? text
  const own: ServiceMatch[] = object === undefined ? [] : [{ name: object, rule: 'namespaced_name' }]
  const isKubernetes = vendor === 'kubernetes' || object !== undefined
  return [...own, ...workloadsOfObject(name, isKubernetes)]
}

function workloadsOfObject(name: string, isKubernetes: boolean): ServiceMatch[] {
  const deployment = (isKubernetes ? POD_OF_DEPLOYMENT : STRICT_POD_OF_DEPLOYMENT).exec(name)?.[1]
  if (deployment !== undefined) return [{ name: deployment, rule: 'pod' }]
  if (!isKubernetes) return []
  const replicaSet = REPLICA_SET.exec(name)?.[1]
  if (replicaSet !== undefined) return [{ name: replicaSet, rule: 'replica_set' }]
  const set = POD_OF_SET.exec(name)?.[1]
  if (set !== undefined) return [{ name: set, rule: 'pod' }]
  const target = AUTOSCALER.exec(name)?.[1]
  return target === undefined ? [] : [{ name: target, rule: 'autoscaler' }]
}
