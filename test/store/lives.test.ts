import { sql } from 'drizzle-orm'
import { expect, test } from 'vitest'
import { functionNamed } from '../../src/store/functions.ts'
import { createTestTenant, listServicesOf, makeEvent, startApp } from '../support/app.ts'

const app = startApp()
const { db } = app.deps

type Found = { readonly changes: readonly (readonly unknown[])[] | null; readonly valid_until_ms?: number | null }

const byKey = ({ changes, valid_until_ms }: Found) => ({
  until: valid_until_ms,
  changes: changes?.map((each) => JSON.stringify(each)).sort(),
})

test('changes are the same whether a service’s events are read in one go or each change is looked up', async () => {
  const tenant = await createTestTenant(app)
  await app.request('/v1/events', { key: tenant.ingestKey, body: makeEvent({ service_name: 'argocd', entity: 'checkout', sha: 'joined' }) })
  await app.request('/v1/events', { key: tenant.ingestKey, body: makeEvent({ entity: 'own' }) })
  const service = (await listServicesOf(app, tenant)).get('checkout')?.id
  const fill = (times: string, count: number) =>
    db.execute(sql`INSERT INTO context_events (id, tenant_id, agent_id, service_id, service_name, vendor, event_type, entity, confidence, ttl_seconds,
        "timestamp", received_at, expires_at, kept_until, value_class, change_key, appeared_at)
      SELECT gen_random_uuid(), e.tenant_id, e.agent_id, e.service_id, e.service_name, 'v', t.type, 'entity ' || t.key, 0.9, 900,
        t.received_at - make_interval(secs => t.late), t.received_at, t.expires_at, t.kept_until, '',
        CASE WHEN t.key < 0 THEN lpad((-t.key)::text, 32, '0') ELSE md5('change' || t.key) END::uuid, t.appeared_at
      FROM context_events e CROSS JOIN LATERAL (${sql.raw(times)}) t, generate_series(1, ${count}::int)
      WHERE e.service_id = ${service} AND e.entity = 'own'`)
  // Sixty changes: lives that are over and kept, or not, before lives that are not over; occurrences of all ages, told late or not.
  await fill(
    `SELECT n / 12 AS key, (ARRAY['deploy', 'restart', 'flag_change'])[1 + n / 12 % 3] AS type, n * 7 % 11 * 10.0 AS late,
        now() - (n * 37 % 300) * interval '1 minute' - n * interval '1 millisecond' AS received_at,
        now() + ((n * 53 + n / 12 * 97) % 20 - 14) * interval '10 minutes' + interval '5 minutes' + n * interval '1 millisecond' AS expires_at,
        CASE WHEN n % 3 > 0 THEN now() + (n % 5 - 2) * interval '1 hour' END AS kept_until,
        date_trunc('second', now() - (200 + n % 4 * 60) * interval '1 minute') AS appeared_at
      FROM generate_series(0, 719) n`,
    1,
  )
  const startedAt = new Date().toISOString()
  const read = async () => {
    const found: ReturnType<typeof byKey>[] = []
    for (const [hours, sample, perType] of [
      [0, 2_000, 1_001],
      [1, null, 1_001],
      [2, 3, 5],
    ] as const) {
      const { rows: windows } = await db.execute<{ found: Found }>(
        sql`SELECT ${functionNamed('find_window')}(NULL, ${tenant.tenantId}::uuid, ${service}::uuid,
          ${startedAt}::timestamptz - ${hours} * interval '1 hour', true, ${sample}::int, ${perType}::int) AS found`,
      )
      // All of each type: of lives that overlap, as these do and real ones never, several are as late as each other.
      const { rows: evidence } = await db.execute<{ found: Found }>(
        sql`SELECT ${functionNamed('find_evidence')}(${tenant.tenantId}::uuid, ${service}::uuid,
          ${startedAt}::timestamptz - ${hours} * interval '1 hour', ${sample}::int, 1001) AS found`,
      )
      found.push(...[...windows, ...evidence].map((row) => byKey(row.found)))
    }
    return found
  }
  const inOneGo = await read()
  expect(inOneGo.map(({ changes }) => (changes?.length ?? 0) > 10)).toEqual(Array(6).fill(true))
  // Of no window any more, and kept no longer.
  const fillUp = (key: string, count: number) =>
    fill(
      `SELECT ${key} AS key, 'restart' AS type, 0.0 AS late, now() - interval '1 day' AS received_at, now() - interval '20 hours' AS expires_at,
        NULL::timestamptz AS kept_until, now() - interval '1 day' AS appeared_at FROM generate_series(1, ${count}) n`,
      1,
    )
  // More than few; first of all repeats of one; changes before them; more than are read in one go, and than of which keys are.
  for (const [key, count] of [
    ['999', 3_001],
    ['-100', 64],
    ['-n', 64],
    ['998', 26_000],
  ] as const) {
    await fillUp(key, count)
    expect(await read()).toEqual(inOneGo)
  }
})
