import { sql } from 'drizzle-orm'
import { expect, test } from 'vitest'
import { type ServiceId, toId } from '../../src/domain/ids.ts'
import { functionNamed } from '../../src/store/functions.ts'
import { findStoredWindow } from '../../src/store/state-windows.ts'
import { createTestTenant, entriesOf, listServicesOf, makeEvent, readWindowOf, startApp } from '../support/app.ts'

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
  // And changes of one occurrence each: over and kept, or not, or live; in the second that began them or another.
  await fill(
    `SELECT 1000 + n AS key, (ARRAY['deploy', 'restart', 'flag_change'])[1 + n % 3] AS type, n * 7 % 11 * 10.0 AS late,
        now() - (n * 37 % 300) * interval '1 minute' - n * interval '1 millisecond' AS received_at,
        now() + (n * 53 % 40 - 20) * interval '10 minutes' + interval '5 minutes' + n * interval '1 millisecond' AS expires_at,
        CASE WHEN n % 3 > 0 THEN now() + (n % 5 - 2) * interval '1 hour' END AS kept_until,
        date_trunc('second', now() - (n * 37 % 300) * interval '1 minute') + (n % 7 - 3) * interval '1 second' AS appeared_at
      FROM generate_series(0, 119) n`,
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

test.each([
  [3_600, 30],
  [7_200, 1],
])(
  'of more changes than are told, those of each type that began last are, though they join: of %s, every %sth as a Worker of before noted it',
  async (changes, unknown) => {
    const tenant = await createTestTenant(app)
    await app.request('/v1/events', {
      key: tenant.ingestKey,
      body: makeEvent({ service_name: 'argocd', entity: 'checkout', sha: 'first' }),
    })
    await app.request('/v1/events', { key: tenant.ingestKey, body: makeEvent({ entity: 'own' }) })
    const services = await listServicesOf(app, tenant)
    // In ten hours, in no order; every twentieth has begun again in the last hour.
    const minute = (of: string) => sql.raw(`(${of} * 7919 % 600 + 1 + ${of} * 0.0001)`)
    const inserted = sql`SELECT n, lpad(to_hex(n), 32, '0')::uuid AS change_key, (ARRAY['deploy', 'flag_change', 'config_change'])[1 + n % 3] AS type,
    l.minutes * interval '1 minute' AS age FROM generate_series(1, ${changes}::int) n CROSS JOIN LATERAL (
      SELECT ${minute('n')} AS minutes UNION ALL SELECT n % 60 FROM (SELECT 1) again WHERE n % 20 = 0 AND ${minute('n')} > 120) l`
    await db.execute(sql`INSERT INTO context_events (id, tenant_id, agent_id, service_id, service_name, vendor, event_type, entity, confidence, ttl_seconds,
      "timestamp", received_at, expires_at, kept_until, value_class, change_key, appeared_at)
    SELECT gen_random_uuid(), e.tenant_id, e.agent_id, e.service_id, e.service_name, 'v', i.type, 'checkout', 0.9, 900, now() - i.age, now() - i.age,
      now() - i.age + CASE WHEN i.n % 20 = 0 AND i.age > interval '1 hour' THEN interval '55 minutes' ELSE interval '11 hours' END,
      now() - i.age + interval '1 day', '', i.change_key, date_trunc('second', now() - i.age)
    FROM context_events e CROSS JOIN (${inserted}) i WHERE e.service_id = ${services.get('argocd')?.id} AND e.sha = 'first'`)
    await db.execute(sql`INSERT INTO change_joins (tenant_id, name_key, service_id, change_key, rule, event_type, appeared_at, expires_at)
    SELECT ${tenant.tenantId}, 'checkout', ${services.get('argocd')?.id}, i.change_key, 'entity', CASE WHEN i.n % ${unknown}::int > 0 THEN min(i.type) END,
      CASE WHEN i.n % ${unknown}::int > 0 THEN max(date_trunc('second', now() - i.age)) END, now() - min(i.age) + interval '25 hours' FROM (${inserted}) i GROUP BY i.n, i.change_key`)
    for (const hours of [0, 1]) {
      const at = sql`now() - ${hours} * interval '1 hour'`
      const { rows } = await db.execute<{
        wanted: string[]
        found: { changes: readonly (readonly [key: string, id: string])[]; is_part: boolean }
      }>(
        sql`SELECT ${functionNamed('find_window')}(NULL, ${tenant.tenantId}::uuid, ${services.get('checkout')?.id}::uuid,
          ${hours === 0 ? null : sql`${at}`}, false, 2000, 500) AS found, ARRAY(
        SELECT l.id FROM unnest(ARRAY['deploy', 'flag_change', 'config_change']) AS t(type) CROSS JOIN LATERAL (
          SELECT e.id FROM context_events e WHERE e.service_id = ${services.get('argocd')?.id} AND e.event_type = t.type AND e.received_at <= ${at} AND e.expires_at > ${at}
          ORDER BY e.received_at DESC LIMIT 50) l) AS wanted`,
      )
      const [row] = rows
      expect(row?.found.is_part).toBe(true)
      const told = new Set(row?.found.changes.map(([, id]) => id))
      expect(told.size).toBe(450)
      expect(row?.wanted.filter((id) => !told.has(id))).toEqual([])
    }
  },
)

test('a change of which nothing can be told takes no place of one that can', async () => {
  const tenant = await createTestTenant(app)
  await app.request('/v1/events', { key: tenant.ingestKey, body: makeEvent({ entity: 'own', event_type: 'restart' }) })
  const service = (await listServicesOf(app, tenant)).get('checkout')?.id
  // The first has expired; the other was received, by a clock that waited, before the life that it is of, and lives on.
  await db.execute(sql`INSERT INTO context_events (id, tenant_id, agent_id, service_id, service_name, vendor, event_type, entity, confidence, ttl_seconds,
      "timestamp", received_at, expires_at, value_class, change_key, appeared_at)
    SELECT gen_random_uuid(), e.tenant_id, e.agent_id, e.service_id, e.service_name, 'v', 'restart', 'other', 0.9, 900, t.at, t.at, t.ends, '',
      md5('other')::uuid, now() - interval '10 minutes'
    FROM context_events e, (VALUES (now() - interval '10 minutes', now() - interval '1 minute'),
      (now() - interval '10 minutes 0.2 seconds', now() + interval '1 hour')) t(at, ends)
    WHERE e.service_id = ${service}`)
  const { rows } = await db.execute<{ found: Found }>(
    sql`SELECT ${functionNamed('find_evidence')}(${tenant.tenantId}::uuid, ${service}::uuid, 'infinity', 100, 1) AS found`,
  )
  expect(rows[0]?.found.changes?.map((change) => (change[15] as string[])[2])).toEqual(['own'])
})

test('an equal change that several services report in one second is one of the window that it joins, and of its copy', async () => {
  const tenant = await createTestTenant(app)
  const body = ['argocd', 'ci', 'shop'].flatMap((service_name) =>
    ['v1', 'v2'].map((new_value) => makeEvent({ service_name, entity: 'shop', new_value })),
  )
  await app.request('/v1/events/batch', { key: tenant.ingestKey, body })
  const id = toId<ServiceId>((await listServicesOf(app, tenant)).get('shop')?.id ?? '')
  const { lives } = await findStoredWindow(db, { tenantId: toId(tenant.tenantId) }, id, { asOf: undefined, withText: false })
  expect(lives.map(({ joinedBy, count }) => [joinedBy, count])).toEqual(Array(2).fill(['service_name', 3]))
  expect(entriesOf(await readWindowOf(app, tenant, 'shop')).map(({ count }) => count)).toEqual([3, 3])
})
