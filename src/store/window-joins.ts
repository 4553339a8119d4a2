import { type SQL, sql } from 'drizzle-orm'

/** The services whose windows a row of `change_joins` leads to: those of its name, and those that evaluate its flag. */
export function windowsOf(join: SQL): SQL {
  return sql`(SELECT s.id FROM services s WHERE s.tenant_id = ${join}.tenant_id AND s.name_key = ${join}.name_key
    UNION ALL SELECT f.service_id FROM flag_evaluators f WHERE f.tenant_id = ${join}.tenant_id AND f.flag_key = ${join}.name_key)`
}

/** The names under which changes join the windows of the services with a name key: that, and the flags they evaluate. */
export function joinNamesOf(tenantId: SQL, nameKey: SQL): SQL {
  return sql`ARRAY(SELECT ${nameKey} UNION ALL SELECT f.flag_key FROM services s JOIN flag_evaluators f ON f.service_id = s.id
    AND f.tenant_id = s.tenant_id WHERE s.tenant_id = ${tenantId} AND s.name_key = ${nameKey} AND f.expires_at - now() > interval '0')`
}
