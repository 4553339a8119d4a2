import { sql } from 'drizzle-orm'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { sha256, toHex } from '../../src/domain/hash.ts'
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
    (SELECT jsonb_agg(to_jsonb(e) - ARRAY['id', 'tenant_id', 'agent_id', 'service_id', 'timestamp', 'received_at', 'expires_at', 'appeared_at', 'written_by']
      ORDER BY e.service_name, e.change_key, e.raw_line) FROM context_events e WHERE e.tenant_id = ${tenantId}) AS events,
    (SELECT jsonb_agg(jsonb_build_array(j.name_key, j.change_key, j.rule) ORDER BY j.name_key, j.change_key, j.rule)
      FROM change_joins j WHERE j.tenant_id = ${tenantId}) AS joins`)
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
  vendor: fc.constantFrom('kubernetes', 'argocd'),
  entity: text,
  old_value: fc.option(text),
  new_value: text,
  actor: fc.option(text),
  sha: fc.option(text),
  event_type: fc.constantFrom('deploy', 'restart'),
})

test('events sent one by one are stored, joined and shown as in a batch', async () => {
  const sent = fc.sample(event, 40).map((fields, index) => makeEvent({ ...fields, raw_line: `line ${String(index).padStart(3, '0')}` }))
  const [single, batch] = [await createTestTenant(app), await createTestTenant(app)]
  for (const body of sent) expect((await post(single, '/v1/events', body)).status).toBe(201)
  expect(await (await post(batch, '/v1/events/batch', sent)).json()).toMatchObject({ accepted: sent.length })
  expect(await readStored(single)).toEqual(await readStored(batch))
  expect(await describeWindows(single)).toEqual(await describeWindows(batch))
})

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

test('the statements of the previous Worker go on answering', async () => {
  const tenant = await createTestTenant(app)
  await post(tenant, '/v1/events/batch', [makeEvent(), makeEvent({ service_name: 'argocd', sha: 'joined' })])
  const id = (await listServicesOf(app, tenant)).get('checkout')?.id
  const { rows } = await app.deps.db.execute<{ before: Record<string, unknown>; after: Record<string, unknown> }>(
    sql`SELECT read_window_v1(NULL, ${tenant.tenantId}::uuid, ${id}::uuid, NULL, true, NULL, 1000) AS before,
      find_window_v1(NULL, ${tenant.tenantId}::uuid, ${id}::uuid, NULL, true, NULL, 1000) AS after`,
  )
  expect(rows[0]?.before['changes']).toHaveLength(2)
  expect(rows[0]?.after).toMatchObject({ ...rows[0]?.before })

  const hash = toHex(await sha256(tenant.ingestKey))
  const { rows: stored } = await app.deps.db.execute<{ answer: Record<string, unknown> }>(
    sql`SELECT ingest_event_v1(${hash}, ${app.deps.newUuid()}::uuid, 'checkout', 'checkout', 'v', 'deploy', 'e', NULL, NULL, NULL, NULL, 1, 60,
      NULL, NULL, '', '{argocd}', '{entity}') AS answer`,
  )
  expect(stored[0]?.answer).toMatchObject({
    tenant_id: tenant.tenantId,
    created: [{ length: 3 }],
    joined_services: [['argocd', expect.any(String)]],
  })
})
