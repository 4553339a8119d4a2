import { type SQL, sql } from 'drizzle-orm'
import { timestamptz } from './postgres.ts'
import { hasIncidentSince } from './services.ts'

const RANDOM = '[bcdfghjklmnpqrstvwxz2-9]{5}'
const HASH = '(?:[4-9bcdf]{5,10}|(?=[a-z]*[0-9])(?=[0-9]*[a-z])[0-9a-z]{4,10})'
/** Of `matchServices`' patterns those that most names have: what they do not know stays a service of its own. */
const OBJECTS = [
  `^(.+)-${HASH}-[0-9a-z]{5}$`,
  `^(.+)-2[5-9][0-9]{6}(?:-${RANDOM})?$`,
  `^(.+)-${HASH}$`,
  `^(.+)-(?:${RANDOM}|[0-9]{1,4})$`,
  '^(.+)-(?:hpa|vpa|pdb)$',
  '^keda-hpa-(.+)$',
  '^(.+)$',
]
const STRICT_POD = `^(.+)-(?:[4-9bcdf]{8,10}|(?=[a-z]*[0-9])[bcdfghjklmnpqrstvwxz2-9]{8,10})-${RANDOM}$`

/** The name keys of the workloads that a name made up from a Kubernetes object's may stand for; empty for any other name. */
function workloadKeys(name: SQL): SQL {
  const key = (text: SQL) => sql`regexp_replace(lower(${text}), '[[:space:]_./:-]+', '', 'g')`
  const object = sql`split_part(${name}, '/', 2)`
  const objects = OBJECTS.map((pattern) => key(sql`substring(${object} FROM ${sql.raw(`'${pattern}'`)})`))
  return sql`CASE WHEN ${name} ~ '^[^/[:space:]]+/[^/[:space:]]+$' THEN ARRAY[${sql.join(objects, sql`, `)}]
    ELSE ARRAY[${key(sql`substring(${name} FROM ${sql.raw(`'${STRICT_POD}'`)})`)}] END`
}

/** Whether service `s` is a pod, an autoscaler or the like of another service that is heard of: it is told of there. */
export function isFolded(heardOfSince: Date): SQL {
  return sql`EXISTS (SELECT 1 FROM services w WHERE w.tenant_id = s.tenant_id AND w.name_key = ANY(${workloadKeys(sql`s.name`)}) AND w.id <> s.id
    AND (w.last_event_at > ${timestamptz(heardOfSince)} OR ${hasIncidentSince(sql`w.tenant_id`, sql`w.id`, heardOfSince)}))`
}

const RULES = sql`('namespaced_name', 'pod', 'replica_set', 'autoscaler')`
/** From so many changes that join a window under its name its parts are told. */
const MAX_JOINS = 400
const MAX_PARTS = 12

/** The services that are folded under service `p` and tell of something that is live there, as `[id, name]`. */
export const PARTS_JSON = sql`(SELECT json_agg(json_build_array(m.id, m.name) ORDER BY m.name) FROM (
  SELECT DISTINCT m.id, m.name FROM (
    SELECT j.service_id, j.rule FROM change_joins j WHERE j.tenant_id = p.tenant_id AND j.name_key = p.name_key LIMIT ${MAX_JOINS}
  ) j JOIN services m ON m.id = j.service_id AND m.tenant_id = p.tenant_id AND m.id <> p.id
  WHERE j.rule IN ${RULES} AND p.name_key = ANY(${workloadKeys(sql`m.name`)}) LIMIT ${MAX_PARTS}) m)`

/** The services that a failure, row `f` of service and change key, is of: who tells of it, the workload whose part that is, and who was called. */
export const OWNERS = sql`(SELECT f.service_id UNION SELECT w.id FROM change_joins j JOIN services w ON w.tenant_id = j.tenant_id AND w.name_key = j.name_key
  WHERE j.service_id = f.service_id AND j.change_key = f.change_key AND j.rule <> 'evaluates')`
