import { sql } from 'drizzle-orm'
import { expect, test } from 'vitest'
import { EVENT_TYPES, type EventType } from '../../src/domain/event/event.ts'
import { type ServiceId, toId } from '../../src/domain/ids.ts'
import { functionNamed } from '../../src/store/functions.ts'
import { findStoredWindow } from '../../src/store/state-windows.ts'
import { createTestTenant, entriesOf, listServicesOf, makeEvent, readWindowOf, startApp } from '../support/app.ts'

const app = startApp()
const { db } = app.deps

type Found = { readonly changes: readonly (readonly unknown[])[] | null; readonly valid_until_ms?: number | null }

const textOf = (change: readonly unknown[]) => change[15] as readonly string[]
const entityOf = (change: readonly unknown[]) => textOf(change)[2] ?? ''

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
  expect(rows[0]?.found.changes?.map(entityOf)).toEqual(['own'])
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

const recentLives = async (
  tenantId: string,
  services: readonly (string | undefined)[],
  around: string,
  each: number | readonly [deploys: number, others: number],
  until = 'infinity',
) => {
  const [deploys, others] = typeof each === 'number' ? [each, each] : each
  const { rows } = await db.execute<{ service_id: string; changes: readonly (readonly unknown[])[] }>(
    sql`SELECT * FROM ${functionNamed('find_recent_lives')}(${tenantId}::uuid, (SELECT array_agg(id::uuid) FROM jsonb_array_elements_text(${JSON.stringify(services)}::jsonb) AS id),
      ${until}::timestamptz, ${around}::timestamptz, 100, ${deploys}::int, ${others}::int)`,
  )
  return new Map(rows.map(({ service_id, changes }) => [service_id, changes]))
}

const minutesAgo = (minutes: number) => new Date(Date.now() - minutes * 60_000).toISOString()

test('what services were told of last is what a diagnosis sees of each, joins and all', async () => {
  const tenant = await createTestTenant(app)
  const body = EVENT_TYPES.flatMap((event_type, place) =>
    [0, 3, 5].flatMap((minutes) => [
      makeEvent({ event_type, entity: `own ${place}`, new_value: `v${minutes % 5}`, timestamp: minutesAgo(minutes) }),
      makeEvent({
        event_type,
        service_name: 'platform',
        vendor: 'kubernetes',
        entity: 'checkout',
        new_value: `v${minutes}`,
        timestamp: minutesAgo(minutes),
      }),
      makeEvent({ event_type, service_name: 'toggles', entity: 'express', new_value: `v${minutes}`, timestamp: minutesAgo(minutes) }),
    ]),
  )
  await app.request('/v1/events/batch', { key: tenant.ingestKey, body })
  const services = await listServicesOf(app, tenant)
  const ids = ['checkout', 'platform', 'toggles'].map((name) => services.get(name)?.id)
  const attributes = Object.entries({ key: 'express', 'result.variant': 'on', 'result.reason': 'default', 'provider.name': 'flagd' })
  const logs = {
    resource: { attributes: [{ key: 'service.name', value: { stringValue: 'platform' } }] },
    scopeLogs: [
      {
        logRecords: [
          {
            eventName: 'feature_flag.evaluation',
            attributes: attributes.map(([key, stringValue]) => ({ key: `feature_flag.${key}`, value: { stringValue } })),
          },
        ],
      },
    ],
  }
  expect((await app.request('/v1/logs', { key: tenant.ingestKey, body: { resourceLogs: [logs] } })).status).toBe(200)
  const found = await recentLives(tenant.tenantId, ids, minutesAgo(4), 50)
  const rules = new Set<unknown>()
  for (const id of ids) {
    const { rows } = await db.execute<{ found: Found }>(
      sql`SELECT ${functionNamed('find_evidence')}(${tenant.tenantId}::uuid, ${id}::uuid, 'infinity', 100, 50) AS found`,
    )
    expect(byKey({ changes: found.get(id ?? '') ?? null })).toEqual(byKey({ changes: rows[0]?.found.changes ?? null }))
    for (const change of rows[0]?.found.changes ?? []) rules.add(change[3])
  }
  expect([...rules].toSorted()).toEqual(['entity', 'evaluates', 'service_name'])
  expect((await recentLives((await createTestTenant(app)).tenantId, ids, minutesAgo(4), 50)).size).toBe(0)
})

test('of what services were told of last, what began about the alert is told, and what is repeated for longer than its beginning is kept', async () => {
  const tenant = await createTestTenant(app)
  const deploys = Array.from({ length: 20 }, (_, minutes) =>
    makeEvent({ entity: `deploy ${minutes}`, timestamp: minutesAgo(minutes + 0.5) }),
  )
  const once = Array.from({ length: 20 }, (_, minutes) =>
    makeEvent({ event_type: 'saturation', entity: `once ${minutes}`, timestamp: minutesAgo(minutes + 0.5) }),
  )
  await app.request('/v1/events/batch', { key: tenant.ingestKey, body: [...deploys, ...once] })
  await app.request('/v1/events', { key: tenant.ingestKey, body: makeEvent({ event_type: 'saturation', entity: 'for long' }) })
  const service = (await listServicesOf(app, tenant)).get('checkout')?.id ?? ''
  await db.execute(
    sql`UPDATE context_events SET appeared_at = received_at - interval '3 hours' WHERE service_id = ${service} AND entity = 'for long'`,
  )
  const entities = async (until = 'infinity') =>
    (await recentLives(tenant.tenantId, [service], minutesAgo(10), 2, until)).get(service)?.map(entityOf).toSorted()
  const before = ['deploy 10', 'deploy 11', 'once 10', 'once 11']
  expect(await entities()).toEqual([...before, 'deploy 8', 'deploy 9', 'for long', 'once 8', 'once 9'].toSorted())
  expect(await entities(minutesAgo(10))).toEqual(before)
})

test('of what services were told of, more deploys are told than others, and what goes on for long comes behind what began just before', async () => {
  const tenant = await createTestTenant(app)
  const told = (event_type: EventType, entity: string, minutes: number) =>
    makeEvent({ event_type, entity, timestamp: minutesAgo(minutes), raw_line: `${minutes}` })
  const body = [
    ...[1, 2, 3, 4, 5].map((minutes) => told('deploy', `deploy ${minutes}`, minutes)),
    ...[1, 2, 3].map((minutes) => told('config_change', `setting ${minutes}`, minutes)),
    ...['cpu', 'memory'].flatMap((entity, place) => [60, 40, 20, place].map((minutes) => told('saturation', entity, minutes))),
    told('saturation', 'disk', 12),
    told('restart', 'pod', 40),
    ...['chatty', 'chattier'].flatMap((entity) => [60, 40, 15].map((minutes) => told('restart', entity, minutes))),
  ]
  await app.request('/v1/events/batch', { key: tenant.ingestKey, body })
  const service = (await listServicesOf(app, tenant)).get('checkout')?.id ?? ''
  const inTenant = sql`tenant_id = ${tenant.tenantId}`
  await db.execute(sql`UPDATE context_events SET received_at = "timestamp", appeared_at = "timestamp" WHERE ${inTenant}`)
  await db.execute(
    sql`UPDATE context_events SET appeared_at = now() - interval '60 minutes' WHERE ${inTenant} AND entity IN ('cpu', 'memory', 'chatty', 'chattier')`,
  )
  const entities = async (deploys: number, others: number) =>
    (await recentLives(tenant.tenantId, [service], minutesAgo(0), [deploys, others])).get(service)?.map(entityOf).toSorted()
  expect(await entities(4, 2)).toEqual(
    [
      ...['deploy 1', 'deploy 2', 'deploy 3', 'deploy 4', 'setting 1', 'setting 2'],
      // Of two that go on for long one gives way to what has begun lately, but none to what happened once, long before.
      ...['disk', 'cpu', 'chatty', 'chattier'],
    ].toSorted(),
  )
})

test('of each of several services what began nearest to the alert is told, so many before and after it', async () => {
  const tenant = await createTestTenant(app)
  const names = ['busy', 'quiet']
  const body = [0, 1, 2, 3, 4, 5, 6, 7].flatMap((place) =>
    names.map((name, at) => makeEvent({ service_name: name, entity: `${name} ${place}`, timestamp: minutesAgo(5 + 55 * at + place) })),
  )
  await app.request('/v1/events/batch', { key: tenant.ingestKey, body })
  const services = await listServicesOf(app, tenant)
  const ids = names.map((name) => services.get(name)?.id)
  const entities = async (minutes: number) => {
    const told = await recentLives(tenant.tenantId, ids, minutesAgo(minutes), 2)
    return ids.map((id) =>
      told
        .get(id ?? '')
        ?.map(entityOf)
        .toSorted(),
    )
  }
  expect(await entities(0)).toEqual([
    ['busy 0', 'busy 1'],
    ['quiet 0', 'quiet 1'],
  ])
  expect(await entities(7.5)).toEqual([
    ['busy 1', 'busy 2', 'busy 3', 'busy 4'],
    ['quiet 0', 'quiet 1'],
  ])
})

test('what began next to the alert is not hidden by what had begun long before and went on beyond it, nor by a flag of the name of its service', async () => {
  const tenant = await createTestTenant(app)
  const goesOn = [0, 1, 2, 3, 4].flatMap((place) =>
    [60, 40, 20, 0].map((minutes) => makeEvent({ entity: `goes on ${place}`, timestamp: minutesAgo(minutes), raw_line: `${minutes}` })),
  )
  const flags = [40, 38, 36, 34, 32].map((minutes) =>
    makeEvent({
      service_name: 'toggles',
      event_type: 'flag_change',
      entity: 'checkout',
      new_value: `v${minutes}`,
      timestamp: minutesAgo(minutes),
    }),
  )
  const cause = makeEvent({ entity: 'the cause', timestamp: minutesAgo(31) })
  await app.request('/v1/events/batch', { key: tenant.ingestKey, body: [...goesOn, ...flags, cause] })
  const service = (await listServicesOf(app, tenant)).get('checkout')?.id ?? ''
  const inTenant = sql`tenant_id = ${tenant.tenantId}`
  await db.execute(sql`UPDATE context_events SET received_at = "timestamp", appeared_at = "timestamp" WHERE ${inTenant}`)
  await db.execute(sql`UPDATE context_events SET appeared_at = now() - interval '60 minutes' WHERE ${inTenant} AND entity LIKE 'goes on%'`)
  await db.execute(sql`UPDATE change_joins j SET appeared_at = e.appeared_at FROM context_events e
    WHERE j.tenant_id = ${tenant.tenantId} AND e.service_id = j.service_id AND e.change_key = j.change_key`)
  await db.execute(sql`INSERT INTO flag_evaluators (tenant_id, service_id, flag_key, expires_at)
    VALUES (${tenant.tenantId}, ${service}, 'flag:checkout', now() + interval '1 hour')`)
  const told = (await recentLives(tenant.tenantId, [service], minutesAgo(30), 4)).get(service) ?? []
  expect(told.map(entityOf)).toContain('the cause')
  expect(told.flatMap((change) => (entityOf(change) === 'checkout' ? [[textOf(change)[4], change[3]]] : [])).toSorted()).toEqual(
    ['v32', 'v34', 'v36', 'v38'].map((value) => [value, 'entity']),
  )
})

test('what is told of a service is not hidden by a flood in one second, nor by what began since it last was repeated, nor by a note that it began again', async () => {
  const tenant = await createTestTenant(app)
  const flood = Array.from({ length: 490 }, (_, index) =>
    makeEvent({ event_type: 'saturation', entity: 'flood', timestamp: minutesAgo(1), raw_line: `${index}` }),
  )
  const deploys = ['again', 'first', 'second', 'third'].map((sha, place) =>
    makeEvent({ entity: sha, sha, timestamp: minutesAgo(60 - place) }),
  )
  const joining = makeEvent({ service_name: 'argocd', entity: 'checkout', timestamp: minutesAgo(30), event_type: 'config_change' })
  const other = makeEvent({ event_type: 'saturation', entity: 'other', timestamp: minutesAgo(5) })
  await app.request('/v1/events/batch', { key: tenant.ingestKey, body: [other, ...flood, ...deploys, joining] })
  const service = (await listServicesOf(app, tenant)).get('checkout')?.id ?? ''
  const inTenant = sql`tenant_id = ${tenant.tenantId}`
  await db.execute(sql`UPDATE context_events SET received_at = "timestamp", appeared_at = "timestamp" WHERE ${inTenant}`)
  await app.request('/v1/events', { key: tenant.ingestKey, body: { ...deploys[0], timestamp: minutesAgo(2), raw_line: 'once more' } })
  await db.execute(sql`UPDATE context_events SET appeared_at = now() - interval '1 hour' WHERE ${inTenant} AND sha = 'again'`)
  await db.execute(sql`UPDATE change_joins SET appeared_at = now() WHERE ${inTenant}`)
  const entities = async (each: number, until = 'infinity') =>
    (await recentLives(tenant.tenantId, [service], minutesAgo(0), each, until)).get(service)?.map(entityOf).toSorted()
  expect(await entities(2)).toEqual(['again', 'checkout', 'flood', 'other', 'third'])
  expect(await entities(1, minutesAgo(1.5))).toEqual(['again', 'checkout', 'other'])
})

test('what joins a service is told as of an instant before the alert, whatever joined it between', async () => {
  const tenant = await createTestTenant(app)
  const joining = [30, ...Array.from({ length: 14 }, (_, index) => 5 + index / 10)].map((minutes) =>
    makeEvent({ service_name: 'argocd', entity: 'checkout', new_value: `v${minutes}`, timestamp: minutesAgo(minutes) }),
  )
  await app.request('/v1/events/batch', { key: tenant.ingestKey, body: [makeEvent({ event_type: 'restart' }), ...joining] })
  const service = (await listServicesOf(app, tenant)).get('checkout')?.id ?? ''
  await db.execute(sql`UPDATE context_events SET received_at = "timestamp", appeared_at = "timestamp" WHERE tenant_id = ${tenant.tenantId}`)
  await db.execute(sql`UPDATE change_joins j SET appeared_at = e.appeared_at FROM context_events e
    WHERE j.tenant_id = ${tenant.tenantId} AND e.service_id = j.service_id AND e.change_key = j.change_key`)
  for (const around of [minutesAgo(1), minutesAgo(20)]) {
    const told = (await recentLives(tenant.tenantId, [service], around, 2, minutesAgo(10))).get(service)
    expect(told?.map((change) => textOf(change)[4])).toEqual(['v30'])
  }
})

test('a life of which not all occurrences were looked at, for a later one of its change has more, does not say that they were', async () => {
  const tenant = await createTestTenant(app)
  await app.request('/v1/events', { key: tenant.ingestKey, body: makeEvent({ entity: 'own' }) })
  const service = (await listServicesOf(app, tenant)).get('checkout')?.id ?? ''
  await db.execute(sql`INSERT INTO context_events (id, tenant_id, agent_id, service_id, service_name, vendor, event_type, entity, confidence, ttl_seconds,
      "timestamp", received_at, expires_at, kept_until, value_class, change_key, appeared_at)
    SELECT gen_random_uuid(), e.tenant_id, e.agent_id, e.service_id, e.service_name, 'v', 'scale_event', 'other', 0.9, 900, at, at,
      at + interval '15 minutes', at + interval '1 day', '', md5('other')::uuid, l.appeared_at
    FROM context_events e CROSS JOIN (VALUES (80, now() - interval '5 hours'), (70, now() - interval '75 minutes')) l(count, appeared_at)
      CROSS JOIN generate_series(0, l.count - 1) n CROSS JOIN LATERAL (SELECT l.appeared_at + n * interval '1 minute' AS at) t
    WHERE e.service_id = ${service}`)
  const told = (await recentLives(tenant.tenantId, [service], minutesAgo(0), 10))
    .get(service)
    ?.filter((change) => entityOf(change) === 'other')
  expect(told?.map((change) => change.slice(10, 12)).toSorted()).toEqual([
    [30, false],
    [70, true],
  ])
})
