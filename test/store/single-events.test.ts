import { sql } from 'drizzle-orm'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { compareText } from '../../src/domain/compare.ts'
import { sha256Hex } from '../../src/domain/hash.ts'
import { functionNamed } from '../../src/store/functions.ts'
import { createTestTenant, entriesOf, listServicesOf, makeEvent, readWindowOf, startApp, type TestTenant } from '../support/app.ts'

const app = startApp()

async function post(tenant: TestTenant, path: string, body: unknown, headers: Readonly<Record<string, string>> = {}) {
  return app.request(path, { key: tenant.ingestKey, body, headers })
}

/** What a tenant's windows say but for what differs from event to event. */
async function describeWindows(tenant: TestTenant) {
  const windows: unknown[] = []
  for (const name of (await listServicesOf(app, tenant)).keys()) {
    const entries = entriesOf(await readWindowOf(app, tenant, name))
    windows.push(...entries.map(({ id: _, timestamp: _t, first_timestamp: _f, expires_at: _e, ...entry }) => ({ name, ...entry })))
  }
  return windows.toSorted((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1))
}

/** What is stored of a tenant's events and joins, but for ids and times. */
async function readStored({ tenantId }: TestTenant) {
  const { rows } = await app.deps.db.execute(sql`SELECT
    (SELECT jsonb_agg(to_jsonb(e) - ARRAY['id', 'tenant_id', 'agent_id', 'service_id', 'timestamp', 'received_at', 'expires_at', 'kept_until', 'appeared_at', 'written_by']
      ORDER BY e.service_name, e.change_key, e.raw_line) FROM context_events e WHERE e.tenant_id = ${tenantId}) AS events,
    (SELECT jsonb_agg(jsonb_build_array(j.name_key, j.change_key, j.rule, j.event_type) ORDER BY j.name_key, j.change_key, j.rule)
      FROM change_joins j WHERE j.tenant_id = ${tenantId}) AS joins,
    (SELECT jsonb_agg(DISTINCT f.flag_key) FROM flag_evaluators f WHERE f.tenant_id = ${tenantId}) AS flags`)
  return rows[0]
}

const awkward = fc.oneof(
  fc.string({
    minLength: 1,
    maxLength: 12,
    unit: fc.constantFrom('a', 'B', '-', '/', '"', '\\', '{', '}', ',', ' x', "'", 'é', '😀', '%', '$1'),
  }),
  fc.constantFrom('NULL', 'null', 'prod/checkout-7d9f8b6c5-x2x9k', 'checkout-hpa', 'checkout-7d9f8b6c5-x2x9k'),
)
const text = awkward.filter((value) => value.trim() !== '')
const event = fc.record({
  service_name: fc.constantFrom('checkout', 'che"ck\\out', 'prod/checkout-7d9f8b6c5-abcde'),
  vendor: fc.constantFrom('kubernetes', 'argocd', 'flagd'),
  entity: text,
  old_value: fc.option(text),
  new_value: text,
  actor: fc.option(text),
  sha: fc.option(text),
  event_type: fc.constantFrom('deploy', 'restart', 'flag_change'),
})

test('events sent one by one are stored, joined and shown as in a batch', async () => {
  const sent = fc.sample(event, 40).map((fields, index) => makeEvent({ ...fields, raw_line: `line ${String(index).padStart(3, '0')}` }))
  const [single, batch] = [await createTestTenant(app), await createTestTenant(app)]
  for (const body of sent) expect((await post(single, '/v1/events', body)).status).toBe(201)
  expect(await (await post(batch, '/v1/events/batch', sent)).json()).toMatchObject({ accepted: sent.length })
  expect(await readStored(single)).toEqual(await readStored(batch))
  expect(await describeWindows(single)).toEqual(await describeWindows(batch))
})

test.each([
  [
    'one by one',
    async (tenant: TestTenant, bodies: readonly object[]) => {
      for (const body of bodies) expect((await post(tenant, '/v1/events', body)).status).toBe(201)
    },
  ],
  [
    'in a batch',
    async (tenant: TestTenant, bodies: readonly object[]) => {
      expect(await (await post(tenant, '/v1/events/batch', bodies)).json()).toMatchObject({ accepted: bodies.length })
    },
  ],
] as const)(
  'a join tells the type and the latest life of its change: of what is sent %s, again, and of joins of Workers of before',
  async (_, send) => {
    const tenant = await createTestTenant(app)
    const { db } = app.deps
    const sent = () =>
      ['deploy', 'restart', 'flag_change'].map((event_type) => makeEvent({ service_name: 'argocd', event_type, ttl_seconds: 600 }))
    const readJoins = async () => {
      const { rows } = await db.execute<{ joins: number; right: number; lives: number }>(sql`SELECT count(*)::int AS joins,
      count(*) FILTER (WHERE j.event_type = e.event_type AND j.appeared_at = e.appeared_at)::int AS right, max(e.lives)::int AS lives
      FROM change_joins j JOIN LATERAL (
        SELECT min(event_type) AS event_type, max(appeared_at) AS appeared_at, count(DISTINCT appeared_at) AS lives FROM context_events
        WHERE service_id = j.service_id AND change_key = j.change_key) e ON true WHERE j.tenant_id = ${tenant.tenantId}`)
      return rows[0]
    }
    await send(tenant, sent())
    expect(await readJoins()).toEqual({ joins: 4, right: 4, lives: 1 })
    await db.execute(sql`UPDATE change_joins SET event_type = NULL, appeared_at = NULL WHERE tenant_id = ${tenant.tenantId}`)
    await send(tenant, sent())
    expect(await readJoins()).toEqual({ joins: 4, right: 4, lives: 1 })
    // As if all had ended, a minute ago.
    await db.execute(sql`UPDATE context_events SET appeared_at = appeared_at - interval '11 minutes', received_at = received_at - interval '11 minutes',
    expires_at = expires_at - interval '11 minutes' WHERE tenant_id = ${tenant.tenantId}`)
    await db.execute(sql`UPDATE change_joins SET appeared_at = appeared_at - interval '11 minutes' WHERE tenant_id = ${tenant.tenantId}`)
    await send(tenant, sent())
    expect(await readJoins()).toEqual({ joins: 4, right: 4, lives: 2 })
  },
)

test('an event sent again is one, whichever way it is sent', async () => {
  const tenant = await createTestTenant(app)
  const body = makeEvent({ timestamp: '2026-01-15T10:00:00Z' })
  const ways = [
    () => post(tenant, '/v1/events', body),
    () => post(tenant, '/v1/events', body),
    () => post(tenant, '/v1/events', body, { 'Idempotency-Key': 'x' }),
    () => post(tenant, '/v1/events/batch', [body]),
  ]
  const replayed: (string | null)[] = []
  for (const send of ways) replayed.push((await send()).headers.get('Idempotent-Replayed'))
  expect(replayed).toEqual([null, 'true', 'true', 'true'])
  expect(entriesOf(await readWindowOf(app, tenant, 'checkout'))).toMatchObject([{ count: 1 }])
})

test('the statements of previous Workers go on answering, and as those of this one do', async () => {
  const tenant = await createTestTenant(app)
  const at = fc.integer({ min: 0, max: 300 }).map((seconds) => new Date(Date.now() - 1_000 * seconds).toISOString())
  // Those did not know who evaluates a flag.
  const known = event.map((fields) => ({
    ...fields,
    event_type: fields.event_type === 'flag_change' ? 'config_change' : fields.event_type,
  }))
  const timed = fc.tuple(known, at, fc.integer({ min: 300, max: 900 }), fc.integer({ min: 1, max: 3 }))
  const sent = fc
    .sample(timed, 60)
    .flatMap(([fields, timestamp, ttl_seconds, times]) =>
      Array.from({ length: times }, () => makeEvent({ ...fields, timestamp, ttl_seconds })),
    )
  await post(tenant, '/v1/events/batch', [...sent, makeEvent({ service_name: 'argocd', sha: 'joined' })])
  const ids = [...(await listServicesOf(app, tenant)).values()].map(({ id }) => id)
  const looks = fc.record({ id: fc.constantFrom(...ids), until: at, withText: fc.boolean(), sampleSize: fc.constantFrom(1, 3, 2_000) })
  for (const { id, until, withText, sampleSize } of fc.sample(looks, 20)) {
    const window = sql`NULL, ${tenant.tenantId}::uuid, ${id}::uuid, NULL, ${withText}, ${sampleSize}::int, 5`
    const past = sql`NULL, ${tenant.tenantId}::uuid, ${id}::uuid, ${until}::timestamptz, ${withText}, ${sampleSize}::int, 5`
    const evidence = sql`${tenant.tenantId}::uuid, ${id}::uuid, ${until}::timestamptz, ${sampleSize}::int, 5`
    const { rows } = await app.deps.db.execute<{ before: readonly Answer[]; now: readonly Answer[]; oldest: Answer }>(
      sql`SELECT read_window_v1(${window}) AS oldest,
        json_build_array(find_window_v1(${window}), find_window_v1(${past}), find_evidence_v1(${evidence})) AS before,
        json_build_array(${functionNamed('find_window')}(${window}), ${functionNamed('find_window')}(${past}),
          ${functionNamed('find_evidence')}(${evidence})) AS now`,
    )
    expect(rows[0]?.now.map(toComparable)).toEqual(rows[0]?.before.map(toComparable))
    expect(toComparable(rows[0]?.now[0] ?? {})).toMatchObject(toComparable(rows[0]?.oldest ?? {}))
  }

  const hash = await sha256Hex(tenant.ingestKey)
  const { rows: stored } = await app.deps.db.execute<{ answer: Answer }>(
    sql`SELECT ingest_event_v1(${hash}, ${app.deps.newUuid()}::uuid, 'checkout', 'checkout', 'v', 'deploy', 'e', NULL, NULL, NULL, NULL, 1, 60,
      NULL, NULL, '', '{argocd}', '{entity}') AS answer`,
  )
  expect(stored[0]?.answer).toMatchObject({
    tenant_id: tenant.tenantId,
    created: [{ length: 3 }],
    joined_services: [['argocd', expect.any(String)]],
  })
})

type Answer = Readonly<Record<string, unknown>>

/** An answer without what other transactions move, its changes as statements answered them at first, whose order nobody asks for. */
const toComparable = ({ horizon: _, is_part: _p, changes, ...answer }: Answer) => ({
  ...answer,
  changes: Array.isArray(changes)
    ? changes
        .map((change: unknown[]) => {
          const text = change.at(-1)
          return [...change.slice(0, FIRST_FIELDS), Array.isArray(text) ? text.slice(0, FIRST_TEXTS) : text]
        })
        .sort((a, b) => compareText(JSON.stringify(a), JSON.stringify(b)))
    : changes,
})

/** Of a change besides its text, and of its text. */
const FIRST_FIELDS = 12
const FIRST_TEXTS = 7
