import { sql } from 'drizzle-orm'
import { FLAG_PREFIX } from '../domain/event/flag.ts'
import type { ServiceId, TenantId } from '../domain/ids.ts'
import type { Db } from './postgres.ts'

/** A flag whose changes one service alone reported lately, and that nobody is known to evaluate. */
export type UnclaimedFlag = { readonly flag: string; readonly nameKey: string }

/** Those that fit a notice, and one more. */
const MAX_FLAGS = 11

/** Flags that nobody is known to evaluate, of one service or of those with these name keys: latest first, eleven at most. */
export async function listUnclaimedFlags(
  db: Db,
  tenantId: TenantId,
  of: { readonly serviceId: ServiceId } | { readonly nameKeys: readonly string[] },
): Promise<UnclaimedFlag[]> {
  const isOf =
    'serviceId' in of
      ? sql`s.id = ${of.serviceId}`
      : sql`s.name_key IN (SELECT jsonb_array_elements_text(${JSON.stringify(of.nameKeys)}::jsonb))`
  const { rows } = await db.execute<UnclaimedFlag>(
    sql`SELECT substr(j.name_key, ${FLAG_PREFIX.length + 1}) AS flag, s.name_key AS "nameKey"
      FROM services s JOIN change_joins j ON j.service_id = s.id
      WHERE s.tenant_id = ${tenantId} AND ${isOf} AND j.rule = 'evaluates' AND j.expires_at > now()
        AND NOT EXISTS (SELECT 1 FROM change_joins o WHERE o.tenant_id = ${tenantId} AND o.name_key = j.name_key AND o.service_id <> s.id)
        AND NOT EXISTS (SELECT 1 FROM flag_evaluators f WHERE f.tenant_id = ${tenantId} AND f.flag_key = j.name_key AND f.expires_at > now())
      GROUP BY j.name_key, s.name_key ORDER BY max(j.expires_at) DESC, j.name_key LIMIT ${MAX_FLAGS}`,
  )
  return rows
}
