import { randomUUID } from 'node:crypto'
import { sql } from 'drizzle-orm'
import { expect, test } from 'vitest'
import { diagnose } from '../../src/domain/diagnosis/diagnose.ts'
import { EVENT_TYPES } from '../../src/domain/event/event.ts'
import { type ContextSnapshot, toDiagnosisInput } from '../../src/domain/incident/snapshot.ts'
import { createTestTenant, makeEvent, startApp, type TestTenant } from '../support/app.ts'

const app = startApp()

type Body = Readonly<Record<string, unknown>>

async function send(tenant: TestTenant, ...events: Body[]): Promise<void> {
  const response = await app.request('/v1/events/batch', { key: tenant.ingestKey, body: events })
  expect(await response.json()).toMatchObject({ accepted: events.length })
}

async function ask(tenant: TestTenant, body: Body): Promise<Response> {
  return await app.request('/v1/incidents', { key: tenant.readonlyKey, body: { create: true, ...body } })
}

async function read(tenant: TestTenant, path: string): Promise<Response> {
  return await app.request(path, { key: tenant.readonlyKey })
}

const minutesAgo = (minutes: number) => new Date(Date.now() - 60_000 * minutes).toISOString()

/** A deploy of payments and, four minutes later, its caller's failures. */
async function sendOutage(tenant: TestTenant): Promise<void> {
  await send(
    tenant,
    makeEvent({ service_name: 'payments', entity: 'payments', sha: 'a4f2c1', timestamp: minutesAgo(6) }),
    makeEvent({ service_name: 'search', entity: 'search', sha: 'bb22dd', timestamp: minutesAgo(3) }),
    makeEvent({
      service_name: 'checkout',
      vendor: 'pino',
      entity: 'payments',
      event_type: 'dependency_failure',
      new_value: 'connect ECONNREFUSED payments:8080',
      sha: undefined,
      timestamp: minutesAgo(2),
    }),
  )
}

test('a question is answered with the deploy of the failing callee, and what the engine saw is what is stored', async () => {
  const tenant = await createTestTenant(app)
  await sendOutage(tenant)
  const response = await ask(tenant, { service: 'checkout', title: 'error rate' })
  expect(response.status).toBe(201)
  const created = await response.json()
  expect(created).toMatchObject({
    tenant_id: tenant.tenantId,
    service: 'checkout',
    status: 'diagnosed',
    title: 'error rate',
    external_ref: null,
    external_source: null,
    posted_back: false,
    resolved_at: null,
    engineer_confirmed: null,
    diagnosed_by: 'rules',
    earlier_diagnoses: [],
    notes: [],
  })
  expect(created.hypothesis).toContain('a4f2c1')
  expect(created.evidence.map(({ sha }: Body) => sha)).toContain('a4f2c1')
  expect(await (await read(tenant, `/v1/incidents/${created.id}`)).json()).toEqual(created)

  const again = diagnose(toDiagnosisInput(created.context_snapshot as ContextSnapshot))
  expect(again.hypothesis).toBe(created.hypothesis)
  expect(again.confidence).toBe(created.confidence)
  expect(again.hypotheses.map(({ eventIds }) => eventIds)).toEqual(created.hypotheses.map(({ event_ids }: Body) => event_ids))
})

test('a snapshot stays as it was, to the byte, whatever arrives or expires', async () => {
  const tenant = await createTestTenant(app)
  await sendOutage(tenant)
  const { id, context_snapshot } = await (await ask(tenant, { service: 'checkout' })).json()
  const stored = async () => {
    const { rows } = await app.deps.db.execute<{ text: string }>(
      sql`SELECT context_snapshot::text AS text FROM diagnoses WHERE incident_id = ${id}`,
    )
    return rows[0]?.text
  }
  const before = await stored()
  expect(JSON.stringify({ v: 1, ...context_snapshot })).toBe(before)
  await app.deps.db.execute(sql`DELETE FROM context_events WHERE tenant_id = ${tenant.tenantId}`)
  await sendOutage(tenant)
  expect(await stored()).toBe(before)
})

test('where values are long, a snapshot has the latest changes of every service, and more of some', async () => {
  const tenant = await createTestTenant(app)
  const long = (service_name: string, index: number) =>
    makeEvent({
      service_name,
      entity: `${service_name} ${index}`,
      old_value: `${index}`.padEnd(1_024, '-'),
      new_value: 'x'.repeat(1_024),
      timestamp: minutesAgo(60 - index / 10),
    })
  for (let service = 0; service < 4; service += 1) {
    // Of so many types more is read than there is room for.
    for (const event_type of EVENT_TYPES.slice(0, 7))
      await send(tenant, ...Array.from({ length: 190 }, (_, index) => ({ ...long(`floods ${service}`, index), event_type })))
  }
  await sendOutage(tenant)
  const created = await (await ask(tenant, { service: 'checkout' })).json()
  const windows: { service: string; deploy_events: Body[] }[] = created.context_snapshot.windows
  expect(windows.map(({ service }) => service)).toEqual(expect.arrayContaining(['checkout', 'payments', 'search']))
  const floods = windows.filter(({ service }) => service.startsWith('floods'))
  expect(floods.map(({ deploy_events }) => deploy_events.length).sort()).toEqual([10, 10, 10, 33])
  expect(floods[0]?.deploy_events.at(-1)).toMatchObject({ old_value: expect.stringMatching(/^189-/) })
  expect(JSON.stringify(created.context_snapshot).length).toBeLessThan(1_000_000)
  expect(created.hypothesis).toContain('a4f2c1')
})

test('who asks is answered what is stored', async () => {
  const tenant = await createTestTenant(app)
  await sendOutage(tenant)
  const created = await (await ask(tenant, { service: 'checkout' })).json()
  expect(created.hypothesis).toContain('a4f2c1')
  expect(await (await read(tenant, `/v1/incidents/${created.id}`)).json()).toEqual(created)
})

test('without a change nothing is blamed', async () => {
  const tenant = await createTestTenant(app)
  await send(tenant, makeEvent({ service_name: 'search', entity: 'search', timestamp: minutesAgo(3) }))
  const created = await (await ask(tenant, { service: 'Never Seen' })).json()
  expect(created).toMatchObject({ status: 'diagnosed', service: 'Never Seen', hypothesis: expect.stringContaining('no recorded change') })
  const services = await (await read(tenant, '/v1/services')).json()
  expect(services).toContainEqual(expect.objectContaining({ name: 'Never Seen', agent_id: null, last_event_at: null }))
})

test('nothing after observed_until is seen', async () => {
  const tenant = await createTestTenant(app)
  await sendOutage(tenant)
  const created = await (await ask(tenant, { service: 'payments', observed_until: minutesAgo(30) })).json()
  expect(created.hypothesis).not.toContain('a4f2c1')
  expect(created.hypotheses).toEqual([])
})

test('a repeat after observed_until changes nothing that was seen', async () => {
  const tenant = await createTestTenant(app)
  const deploy = (entity: string, minutes: number) => makeEvent({ service_name: 'checkout', entity, timestamp: minutesAgo(minutes) })
  await send(tenant, deploy('api', 40), deploy('pages', 13))
  const question = { service: 'checkout', triggered_at: minutesAgo(10), observed_until: minutesAgo(10) }
  const seenIn = async () => {
    const { hypothesis, confidence, evidence, context_snapshot } = await (await ask(tenant, question)).json()
    return { hypothesis, confidence, evidence, windows: context_snapshot.windows }
  }
  const before = await seenIn()
  expect(before.evidence).toMatchObject([{ entity: 'pages' }])
  await send(tenant, deploy('api', 5), deploy('pages', 4))
  expect(await seenIn()).toEqual(before)
})

test('an alert from the future is one of now', async () => {
  const tenant = await createTestTenant(app)
  const before = Date.now()
  const { triggered_at } = await (await ask(tenant, { service: 'checkout', triggered_at: minutesAgo(-30) })).json()
  expect(Date.parse(triggered_at)).toBeGreaterThanOrEqual(before)
  expect(Date.parse(triggered_at)).toBeLessThanOrEqual(Date.now())
})

const FAR_TIMES = ['0001-01-01T00:00:00Z', '0001-01-01T00:00:00.000001Z', '1969-12-31T23:59:59Z', '9999-12-31T23:59:59.999999Z']

test.each(
  FAR_TIMES.flatMap((at) => [
    { triggered_at: at },
    { observed_until: at },
    ...FAR_TIMES.map((until) => ({ triggered_at: at, observed_until: until })),
  ]),
)('a question about $triggered_at until $observed_until is answered', async (times) => {
  const tenant = await createTestTenant(app)
  await sendOutage(tenant)
  const response = await ask(tenant, { service: 'checkout', ...times })
  expect(response.status).toBe(201)
  const created = await response.json()
  expect(created.status).toBe('diagnosed')
  expect(await (await read(tenant, `/v1/incidents/${created.id}`)).json()).toEqual(created)
  expect((await read(tenant, '/v1/incidents?since=0001-01-01T00:00:00Z')).status).toBe(200)
})

test('incidents are listed newest first, by service and time', async () => {
  const tenant = await createTestTenant(app)
  for (const [service, minutes] of [
    ['checkout', 30],
    ['search', 20],
    ['checkout', 10],
    ['checkout', 60 * 24 * 8],
  ] as const) {
    expect((await ask(tenant, { service, triggered_at: minutesAgo(minutes) })).status).toBe(201)
  }
  const services = async (query = '') => (await (await read(tenant, `/v1/incidents${query}`)).json()).map(({ service }: Body) => service)
  expect(await services()).toEqual(['checkout', 'search', 'checkout'])
  expect(await services('?service=checkout')).toEqual(['checkout', 'checkout'])
  expect(await services('?service=Check-Out')).toEqual(['checkout', 'checkout'])
  expect(await services(`?since=${minutesAgo(15)}`)).toEqual(['checkout'])
  expect(await services(`?before=${minutesAgo(15)}`)).toEqual(['search', 'checkout'])
  expect(await services(`?since=${minutesAgo(60 * 24 * 30)}`)).toHaveLength(4)
  const [newest] = await (await read(tenant, '/v1/incidents')).json()
  const older = await (await read(tenant, `/v1/incidents?before=${newest.triggered_at}`)).json()
  expect(older.map(({ id }: Body) => id)).not.toContain(newest.id)
})

test('a storm of one instant is paged through whole', async () => {
  const tenant = await createTestTenant(app)
  await app.deps.db.execute(sql`INSERT INTO incidents (id, tenant_id, service_id, service_name, triggered_at)
    SELECT gen_random_uuid(), ${tenant.tenantId}, gen_random_uuid(), 'storm', date_trunc('second', now()) FROM generate_series(1, 120)`)
  const listed: string[] = []
  for (let before = ''; listed.length <= 120; before = `?before=${listed.at(-1)}`) {
    const page: Body[] = await (await read(tenant, `/v1/incidents${before}`)).json()
    if (page.length === 0) break
    listed.push(...page.map(({ id }) => String(id)))
  }
  expect(new Set(listed).size).toBe(120)
  expect(listed).toHaveLength(120)
  const stranger = await createTestTenant(app)
  expect(await (await read(stranger, `/v1/incidents?before=${listed[0]}`)).json()).toEqual([])
})

test.each([
  { name: 'no service', body: {}, detail: 'service is required' },
  { name: 'a service that is no text', body: { service: 3 }, detail: 'service must be a string' },
  { name: 'a blank service', body: { service: ' ' }, detail: 'service is required' },
  { name: 'a bad time', body: { service: 'x', triggered_at: 'yesterday' }, detail: 'triggered_at must be ISO 8601' },
  { name: 'a time that is no text', body: { service: 'x', observed_until: 7 }, detail: 'observed_until must be ISO 8601' },
  { name: 'no object', body: [], detail: 'request body must be valid JSON' },
])('a question with $name is refused', async ({ body, detail }) => {
  const tenant = await createTestTenant(app)
  const response = await app.request('/v1/incidents', { key: tenant.readonlyKey, body })
  expect(response.status).toBe(400)
  expect(await response.json()).toMatchObject({ detail })
})

test.each(['since=soon', 'before=2026-13-01'])('a listing with ?%s is refused', async (query) => {
  const tenant = await createTestTenant(app)
  expect((await read(tenant, `/v1/incidents?${query}`)).status).toBe(400)
})

test('an incident is resolved once, and only by its tenant', async () => {
  const tenant = await createTestTenant(app)
  const other = await createTestTenant(app)
  const { id } = await (await ask(tenant, { service: 'checkout' })).json()
  const put = (by: TestTenant, which: string) =>
    app.request(`/v1/incidents/${which}/resolve`, { method: 'PUT', key: by.readonlyKey }).then(({ status }) => status)
  expect(await put(other, id)).toBe(404)
  expect(await put(tenant, 'nope')).toBe(404)
  expect(await put(tenant, randomUUID())).toBe(404)
  expect((await read(other, `/v1/incidents/${id}`)).status).toBe(404)
  expect(await put(tenant, id)).toBe(204)
  const { resolved_at } = await (await read(tenant, `/v1/incidents/${id}`)).json()
  expect(Date.parse(resolved_at)).toBeGreaterThan(Date.now() - 60_000)
  expect(await put(tenant, id)).toBe(204)
  expect(await (await read(tenant, `/v1/incidents/${id}`)).json()).toMatchObject({ resolved_at })
  const audit = await (await read(tenant, '/v1/audit')).json()
  expect(audit.filter(({ action }: Body) => action === 'incident.resolved')).toMatchObject([{ target_type: 'incident', target_id: id }])
})

test('a flood that is too long to be read whole began when it began', async () => {
  const tenant = await createTestTenant(app)
  const failure = {
    service_name: 'checkout',
    vendor: 'pino',
    entity: 'payments',
    event_type: 'dependency_failure',
    new_value: 'ECONNREFUSED',
  }
  await send(tenant, makeEvent(failure))
  const { db } = app.deps
  const began = sql`date_trunc('second', now()) - interval '10 minutes'`
  await db.execute(
    sql`UPDATE context_events SET received_at = ${began}, "timestamp" = ${began}, appeared_at = ${began} WHERE tenant_id = ${tenant.tenantId}`,
  )
  await db.execute(sql`INSERT INTO context_events SELECT r.* FROM context_events f, generate_series(1, 2500) n,
    jsonb_populate_record(f, jsonb_build_object('id', gen_random_uuid(), 'timestamp', f."timestamp" + interval '200 milliseconds' * n,
      'received_at', f.received_at + interval '200 milliseconds' * n, 'expires_at', f.expires_at + interval '200 milliseconds' * n)) r
    WHERE f.tenant_id = ${tenant.tenantId}`)
  const { context_snapshot: snapshot } = await (await ask(tenant, { service: 'checkout' })).json()
  const [entry] = (snapshot as ContextSnapshot).windows.flatMap((window) => window.dependency_failure_events)
  expect(Date.now() - Date.parse(entry?.first_timestamp ?? '')).toBeGreaterThan(590_000)
})
