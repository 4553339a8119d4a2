import { randomUUID } from 'node:crypto'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { sql } from 'drizzle-orm'
import { expect, inject, onTestFinished, test } from 'vitest'
import { connect, toDb } from '../../src/commands/connection.ts'
import { openSecretOf } from '../../src/domain/access/integration.ts'
import { sha256Hex } from '../../src/domain/hash.ts'
import { findIntegrationByHash } from '../../src/store/integrations.ts'
import { deleteTenantRows, listTenantTables, readTenantRows } from '../../src/store/tenant-data.ts'
import { createTestTenant, makeEvent, startApp } from '../support/app.ts'
import { startFaultProxy } from '../support/fault-proxy.ts'
import { startOwnStack } from '../support/own-stack.ts'
import { connectPager, deliver, makeDelivery } from '../support/pagerduty.ts'
import { runTenantCommand as run } from '../support/tenant-command.ts'

const app = startApp()
const REAL = process.env['DATABASE_URL']

test('a tenant is exported whole, without what could be used to act as it, and deleted without a trace', async () => {
  const [tenant, other] = [await createTestTenant(app), await createTestTenant(app)]
  for (const { ingestKey, readonlyKey } of [tenant, other]) {
    const events = Array.from({ length: 1_500 }, (_, index) => makeEvent({ new_value: `v${index}`, raw_line: 'canary' }))
    for (const start of [0, 500, 1_000]) await app.request('/v1/events/batch', { key: ingestKey, body: events.slice(start, start + 500) })
    await app.request('/v1/events', { key: ingestKey, body: makeEvent(), headers: { 'Idempotency-Key': 'k' } })
    const made = await app.request('/v1/api-keys', { key: readonlyKey, body: { key_type: 'ingest' } })
    const { key: second } = (await made.json()) as { key: string }
    await app.request('/v1/agents/register', { key: second, body: { hostname: 'second' } })
    expect((await app.request('/v1/events/batch', { key: second, body: events.slice(0, 500) })).status).toBe(200)
    const config = { webhook_secret: 'whsec-canary-5f0c' }
    await app.request('/v1/integrations', { key: readonlyKey, body: { type: 'pagerduty', direction: 'inbound', config } })
  }
  const { stdout, code } = await run(['export', tenant.tenantId])
  const rows = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { table: string; row: Record<string, unknown> })
  expect(code).toBe(0)
  const events = rows.flatMap(({ table, row }) => (table === 'context_events' ? [row['id']] : []))
  expect([events.length, new Set(events).size]).toEqual([2_001, 2_001])
  expect(Map.groupBy(rows, ({ table }) => table).get('api_keys')).toHaveLength(4)
  expect(['canary', other.tenantId, '"hash"', '"token"'].filter((secret) => stdout.includes(secret))).toEqual([])
  expect((await run(['export', tenant.tenantId, '--raw-lines'])).stdout.includes('canary')).toBe(true)

  expect(await run(['delete', tenant.tenantId])).toMatchObject({ code: 1, stderr: expect.stringContaining('--yes') })
  expect((await app.request('/v1/services', { key: tenant.readonlyKey })).status).toBe(200)
  const erased = JSON.parse((await run(['delete', tenant.tenantId, '--yes', '--json'])).stdout)
  expect(erased).toMatchObject({ tenant_id: tenant.tenantId, deleted_rows: rows.length + 1 })
  expect((await app.request('/v1/services', { key: tenant.readonlyKey })).status).toBe(401)
  expect(await run(['export', tenant.tenantId])).toMatchObject({ code: 1, stderr: expect.stringContaining('no tenant') })
  expect((await run(['export', other.tenantId])).stdout.trim().split('\n')).toHaveLength(rows.length)
})

test('a tenant moves to another database with its keys, windows, counts and incidents', async () => {
  const tenant = await createTestTenant(app)
  const send = (body: unknown) => app.request('/v1/events/batch', { key: tenant.ingestKey, body })
  await send(
    Array.from({ length: 400 }, (_, place) =>
      // With what ends a line elsewhere than in JSON.
      makeEvent({ entity: `e-${place % 40}`, timestamp: `2026-01-15T10:00:00.${100 + place}Z`, raw_line: 'a\u2028b\u2029c\rd\u0085e' }),
    ),
  )
  const asked = await app.request('/v1/incidents', { key: tenant.readonlyKey, body: { service: 'checkout' } })
  const { id } = (await asked.json()) as { id: string }
  const own = await startOwnStack(onTestFinished)
  const at = { DATABASE_URL: own.databaseUrl, DATABASE_ENDPOINT: own.databaseEndpoint }
  const folder = await mkdtemp(join(tmpdir(), 'noctuary-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  const [without, out] = [join(folder, 'without.ndjson'), join(folder, 'tenant.ndjson')]
  await run(['export', tenant.tenantId, '--out', without])
  expect(await run(['import', without], at)).toMatchObject({ code: 1, stderr: expect.stringContaining('--keys') })
  await run(['export', tenant.tenantId, '--keys', '--raw-lines', '--out', out])
  const whole = await readFile(out, 'utf8')
  for (const [bad, says] of [
    [whole.slice(0, whole.lastIndexOf('\n{') + 1), 'cut off after'],
    [whole.slice(0, whole.length / 2), 'is no row of an export'],
    ['', 'cut off after 0 rows'],
    [whole.replace(/(?<="table":"api_keys".*"tenant_id":")[^"]+/, randomUUID()), 'is of another tenant'],
    [`${whole.split('\n', 1)[0]?.replace(/(?<="id":")[^"]+/, randomUUID())}\n${whole}`, 'is of another tenant'],
    [`${whole.split('\n', 1)[0]}\n{"table":"later","row":{}}\n`, 'no table "later" here'],
    [whole.replace('"row":{', '"row":{"later":1,'), 'tenants has no later here'],
    [whole.replaceAll('":', '": '), 'is not as an export writes it'],
    ['{"rows":0}\n', 'says of no tenant'],
    [`{"table":"tenants","row":{"id":"${'x'.repeat(70_000_000)}`, 'longer than any row'],
  ] as const) {
    await writeFile(join(folder, 'bad.ndjson'), bad)
    expect(await run(['import', join(folder, 'bad.ndjson')], at)).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringContaining(says),
    })
  }
  expect(await run(['import', folder], at)).toMatchObject({ code: 1, stderr: expect.stringContaining('folder') })
  expect(await run(['import', out], at)).toMatchObject({ code: 0 })
  expect((await run(['import', out], at)).stdout).toMatch(/imported_rows +0/)
  const { rows: noted } = await startApp({ stack: own }).deps.db.execute(
    sql`SELECT DISTINCT action, actor FROM audit_entries WHERE action LIKE 'tenant.im%'`,
  )
  expect(noted).toEqual([{ action: 'tenant.imported', actor: 'operator' }])

  const moved = startApp({ stack: own })
  for (const path of ['/v1/services', '/v1/services/checkout/context', `/v1/incidents/${id}`, '/v1/changes', '/v1/agents']) {
    const [here, there] = [await app.request(path, { key: tenant.readonlyKey }), await moved.request(path, { key: tenant.readonlyKey })]
    expect(there.status).toBe(200)
    expect(withoutUse(await there.json()), path).toEqual(withoutUse(await here.json()))
  }
  expect((await moved.request('/v1/events', { key: tenant.ingestKey, body: makeEvent() })).status).toBe(201)
})

test('a file brings nothing into another tenant, whatever its rows point to', async () => {
  const [tenant, other] = [await createTestTenant(app), await createTestTenant(app)]
  for (const { ingestKey } of [tenant, other]) await app.request('/v1/events', { key: ingestKey, body: makeEvent() })
  const folder = await mkdtemp(join(tmpdir(), 'noctuary-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  const [out, bad] = [join(folder, 'tenant.ndjson'), join(folder, 'bad.ndjson')]
  await run(['export', tenant.tenantId, '--keys', '--out', out])
  const lines = (await readFile(out, 'utf8')).trim().split('\n').slice(0, -1)
  const rowsOf = async (table: string) => {
    const { rows } = await app.deps.db.execute<{ id: string }>(
      sql`SELECT id FROM ${sql.identifier(table)} WHERE tenant_id = ${other.tenantId}`,
    )
    return rows[0]?.id ?? ''
  }
  const [service, agent, key] = await Promise.all(['services', 'agents', 'api_keys'].map(rowsOf))
  const changed = (table: string, fields: object) => {
    const line = lines.find((each) => each.startsWith(`{"table":"${table}",`)) ?? ''
    const { row } = JSON.parse(line)
    return JSON.stringify({ table, row: { ...row, id: randomUUID(), ...fields } })
  }
  const pointing = 'point to another tenant'
  for (const [line, says] of [
    [changed('context_events', { service_id: service }), pointing],
    [changed('context_events', { agent_id: agent }), pointing],
    [changed('services', { name: 'x', name_key: 'x', last_change_agent_id: agent }), pointing],
    [changed('agents', { api_key_id: key }), pointing],
    [JSON.stringify({ table: 'idempotency_keys', row: { api_key_id: key, key: 'k', body_hash: 'x', created_at: new Date() } }), pointing],
    // Of which a count of rows is no part.
    [`${changed('api_keys', { tenant_id: other.tenantId, hash: 'x' }).slice(0, -1)},"rows":${lines.length}}`, 'is of another tenant'],
  ] as const) {
    await writeFile(bad, `${[...lines, line].join('\n')}\n{"rows":${lines.length + 1}}\n`)
    expect(await run(['import', bad]), line).toMatchObject({ code: 1, stdout: '', stderr: expect.stringContaining(says) })
  }
  const { rows } = await app.deps.db.execute(sql`SELECT 1 FROM context_events WHERE service_id = ${service} OR agent_id = ${agent}`)
  expect(rows).toHaveLength(1)
})

const USE = ['last_seen_at', 'last_used_at', 'status']

/** But for when something was seen last, which reading changes. */
const withoutUse = (body: unknown): unknown => JSON.parse(JSON.stringify(body, (name, value) => (USE.includes(name) ? undefined : value)))

test.runIf(REAL)('a tenant is read and deleted without the rest, however many events others have', async () => {
  const own = await startOwnStack(onTestFinished)
  const there = startApp({ stack: own })
  const [small, large] = [await createTestTenant(there), await createTestTenant(there)]
  for (const { ingestKey } of [small, large]) await there.request('/v1/events', { key: ingestKey, body: makeEvent() })
  const client = await connect(own.databaseUrl)
  onTestFinished(() => client.end())
  await client.query('SET statement_timeout = 0')
  await client.query(
    `INSERT INTO context_events SELECT r.* FROM context_events e CROSS JOIN generate_series(1, 20000) AS n,
      LATERAL jsonb_populate_record(e, jsonb_build_object('id', md5(e.id::text || n)::uuid)) AS r WHERE e.tenant_id = $1`,
    [large.tenantId],
  )
  await client.query('ANALYZE context_events')
  const db = toDb(client)
  const table = (await listTenantTables(db)).find(({ name }) => name === 'context_events')
  if (!table) throw new Error('no events')
  const page = { limit: 1_000, withRawLines: true }
  const countRead = async (work: () => Promise<unknown>) => {
    await client.query('BEGIN')
    const result = await work()
    const { rows } = await client.query<{ read: string }>(
      `SELECT pg_stat_get_xact_tuples_fetched(t) + pg_stat_get_xact_tuples_returned(t) AS read FROM (SELECT 'context_events'::regclass AS t) t`,
    )
    await client.query('ROLLBACK')
    return { result, read: Number(rows[0]?.read) }
  }
  const first = await readTenantRows(db, small.tenantId, table, { ...page, after: undefined })
  expect(first).toHaveLength(1)
  for (const after of [undefined, first[0]]) {
    const { read } = await countRead(() => readTenantRows(db, small.tenantId, table, { ...page, after }))
    expect(read).toBeLessThan(100)
  }
  const { result, read } = await countRead(() => deleteTenantRows(db, small.tenantId, table, 1_000))
  expect([result, read < 100]).toEqual([1, true])
})

test('an export reads no more at once than fits, however large its rows', async () => {
  const tenant = await createTestTenant(app)
  const large = 'x'.repeat(1_000_000)
  for (let event = 0; event < 12; event += 1)
    expect((await app.request('/v1/events', { key: tenant.ingestKey, body: makeEvent({ raw_line: large }) })).status).toBe(201)
  const { stdout } = await run(['export', tenant.tenantId, '--raw-lines'])
  expect(stdout.split(large)).toHaveLength(13)
})

test('a tenant that is being deleted takes no more deliveries', async () => {
  const tenant = await createTestTenant(app)
  const pager = await connectPager(app, tenant)
  const deletion = run(['delete', tenant.tenantId, '--yes'])
  while ((await app.request('/v1/services', { key: tenant.readonlyKey })).status !== 401) await sleep(20)
  expect((await deliver(app, pager, makeDelivery())).status).toBe(404)
  expect(await deletion).toMatchObject({ code: 0 })
})

test('an export to a file does not overwrite one', async () => {
  const tenant = await createTestTenant(app)
  const folder = await mkdtemp(join(tmpdir(), 'noctuary-'))
  const out = join(folder, 'tenant.ndjson')
  const cut = await startFaultProxy(inject('stack').databaseEndpoint, { left: 8, servesLast: false })
  expect(await run(['export', tenant.tenantId, '--out', out], { DATABASE_ENDPOINT: cut.url })).toMatchObject({ code: 1, stdout: '' })
  // What was cut off has another name, and stands in nobody's way.
  expect(await readdir(folder)).toEqual(['tenant.ndjson.part'])
  expect(await run(['export', tenant.tenantId, '--out', out])).toMatchObject({ code: 0, stdout: '' })
  expect(await readdir(folder)).toEqual(['tenant.ndjson'])
  expect((await readFile(out, 'utf8')).trim().split('\n')).toHaveLength(7)
  expect(await run(['export', tenant.tenantId, '--out', out])).toMatchObject({ code: 1, stderr: expect.stringContaining('exists already') })
  await rm(folder, { recursive: true })
})

/** As a Worker of before stored it. */
const CLEAR_TOKEN = `tok_${'c'.repeat(40)}`

test('secrets are sealed anew with the first key, after which the second is not needed', async () => {
  // A stack of its own: the secrets of all tenants are resealed.
  const own = await startOwnStack(onTestFinished)
  const [older, newer] = ['older', 'newer'].map((id) => `${id}:${Buffer.alloc(32, id).toString('base64')}`)
  const before = startApp({ stack: own, bindings: { INTEGRATION_KEYS: `${older}` } })
  const tenant = await createTestTenant(before)
  const config = { webhook_secret: 'whsec-1-of-the-tests', pagerduty_token: 'pd-1' }
  const body = { type: 'pagerduty', direction: 'inbound', config }
  const { token } = await (await before.request('/v1/integrations', { key: tenant.readonlyKey, body })).json()

  await before.deps.db.execute(sql`INSERT INTO integrations (id, tenant_id, type, direction, token, config, secrets)
    VALUES (gen_random_uuid(), ${tenant.tenantId}, 'pagerduty', 'inbound', ${CLEAR_TOKEN}, '{}', '{}')`)

  const at = { DATABASE_URL: own.databaseUrl, DATABASE_ENDPOINT: own.databaseEndpoint }
  expect(await run(['reseal'], { ...at, INTEGRATION_KEYS: `${newer}` })).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('no longer holds'),
  })
  expect((await run(['reseal'], { ...at, INTEGRATION_KEYS: `${newer},${older}` })).stdout).toMatch(/resealed_integrations +2/)
  const after = startApp({ stack: own, bindings: { INTEGRATION_KEYS: `${newer}` } })
  const found = await findIntegrationByHash(after.deps.db, await sha256Hex(token))
  expect(found && (await openSecretOf(found.integration, 'pagerduty_token', after.deps.sealingKeys))).toBe('pd-1')
  const shown: { token: string }[] = await (await after.request('/v1/integrations', { key: tenant.readonlyKey })).json()
  expect(shown.map((one) => one.token)).toEqual([token, CLEAR_TOKEN])
  const { rows } = await after.deps.db.execute(sql`SELECT token FROM integrations WHERE token NOT LIKE 'v1.newer.%'`)
  expect(rows).toEqual([])
})

test.concurrent.each([
  ['no DATABASE_URL', ['list'], { DATABASE_URL: '' }, 'not set'],
  ['a DATABASE_URL of another kind', ['list'], { DATABASE_URL: 'https://db' }, 'must look like postgres://'],
  ['a server that is not there', ['list'], { DATABASE_URL: 'postgres://a:b@127.0.0.1:1/c', DATABASE_ENDPOINT: '' }, 'nothing listens'],
  ['an endpoint that is not there', ['list'], { DATABASE_ENDPOINT: 'http://127.0.0.1:1/sql' }, 'cannot be reached'],
  ['an unknown command', ['frobnicate'], {}, 'no command'],
  ['no name', ['create'], {}, 'takes one name'],
  ['an unknown tenant', ['keys', 'nobody'], {}, 'no tenant'],
  ['no sealing key', ['reseal'], { INTEGRATION_KEYS: '' }, 'INTEGRATION_KEYS is not set'],
] as const)('%s is one line and exit 1', async (_name, args, env, text) => {
  const { code, stdout, stderr } = await run(args, env)
  expect([code, stdout]).toEqual([1, ''])
  expect(stderr).toContain(text)
  expect(stderr.trim().split('\n')).toHaveLength(1)
})
