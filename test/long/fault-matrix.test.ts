import { setTimeout as sleep } from 'node:timers/promises'
import { type SQL, sql } from 'drizzle-orm'
import { describe, expect, test } from 'vitest'
import { runSweep } from '../../src/usecases/run-sweep.ts'
import { createTestTenant, entriesOf, listServicesOf, makeEvent, readWindowOf, startApp, type TestTenant } from '../support/app.ts'
import { type Fault, startFaultProxy } from '../support/fault-proxy.ts'
import { askModern } from '../support/mcp.ts'
import { startOwnStack } from '../support/own-stack.ts'
import { connectPager, deliver, makeDelivery, newRef, type Pager } from '../support/pagerduty.ts'
import { signIn, startSite, type Visitor } from '../support/site.ts'

// Every fault of a store at every operation. A cell is well when its status is one that the API documents, and never 500; what was
// acknowledged is there, once; what was not can be done again, and then is there once; and no work is left over.

const stack = await startOwnStack()
const [database, redis] = [await startFaultProxy(stack.databaseEndpoint), await startFaultProxy(stack.redisUrl)]
const rest = { rest: async () => {} }
const site = startSite({ stack, database: database.url, redis: redis.url, patience: 1 }, rest)
const broken = site.app
const healthy = startApp({ stack }, rest)

const slow: Fault = async () => {
  await sleep(700)
  return 'none' as const
}

const cut = '{"fields":[{"name":"answer","dataTypeID":114}],"rows":[["{\\"tenant'

const FAULTS: readonly (readonly [name: string, fault: Fault])[] = [
  ['refuses', 'refuse'],
  ['hangs', 'hang'],
  ['takes effect, but its answer is lost', 'lose_reply'],
  ['takes effect, but its answer ends halfway', 'cut_reply'],
  ['answers HTML, 200', { status: 200, body: '<html>hello</html>' }],
  ['answers cut JSON, 200', { status: 200, body: cut }],
  ['answers null', { status: 200, body: 'null' }],
  ['answers nothing', { status: 200, body: '' }],
  ['answers an empty list', { status: 200, body: '[]' }],
  ['answers an empty object', { status: 200, body: '{}' }],
  ['answers 429', { status: 429, body: '{"error":"too many"}' }],
  ['answers 500', { status: 500, body: 'oops' }],
  ['answers 502, HTML', { status: 502, body: '<html>bad gateway</html>' }],
  ['is slow', slow],
]

type Cell = {
  readonly tenant: TestTenant
  readonly pager: Pager
  readonly visitor: Visitor
  readonly incidentId: string
  readonly spareKeyId: string
  /** Names what this cell makes. */
  readonly name: string
}

type Operation = {
  readonly name: string
  readonly act: (cell: Cell) => Promise<Response | undefined>
  /** How often it took effect; `undefined`: it has none. */
  readonly count?: (cell: Cell) => Promise<number>
}

const rowsOf = async (statement: SQL) => (await healthy.deps.db.execute(statement)).rows.length

const named = (cell: Cell, key: 'ingestKey' | 'readonlyKey', path: string, body: unknown) =>
  broken.request(path, { key: cell.tenant[key], body, headers: { 'Idempotency-Key': cell.name } })

const eventOf = ({ name }: Cell, fields: object = {}) =>
  makeEvent({ sha: name, actor: name, timestamp: '2026-11-28T08:00:00Z', ttl_seconds: 86_400, ...fields })

const eventsOf = ({ tenant, name }: Cell) =>
  rowsOf(sql`SELECT 1 FROM context_events WHERE tenant_id = ${tenant.tenantId} AND (actor = ${name} OR sha = ${name})`)

const reads = (path: string): Operation => ({
  name: `GET ${path}`,
  act: async ({ tenant }) => {
    const id = path.includes('{service}') ? ((await listServicesOf(healthy, tenant)).get('checkout')?.id ?? '') : ''
    return broken.request(path.replace('{agent}', tenant.agentId).replace('{service}', id), { key: tenant.readonlyKey })
  },
})

const OPERATIONS: readonly Operation[] = [
  { name: 'an event', act: (cell) => broken.request('/v1/events', { key: cell.tenant.ingestKey, body: eventOf(cell) }), count: eventsOf },
  {
    name: 'a batch',
    act: (cell) => {
      const body = [eventOf(cell), eventOf(cell), eventOf(cell, { service_name: 'argocd' })]
      return broken.request('/v1/events/batch', { key: cell.tenant.ingestKey, body })
    },
    count: async (cell) => (await eventsOf(cell)) / 2,
  },
  {
    name: 'a deploy through its door',
    act: (cell) => named(cell, 'ingestKey', '/in/deploy', { service: 'checkout', sha: cell.name }),
    count: eventsOf,
  },
  {
    name: 'an alert through a webhook',
    act: (cell) => deliver(broken, cell.pager, makeDelivery({ ref: cell.name, service: 'checkout' }), { deliveryId: cell.name }),
    count: ({ tenant, name }) => rowsOf(sql`SELECT 1 FROM incidents WHERE tenant_id = ${tenant.tenantId} AND external_ref = ${name}`),
  },
  {
    name: 'a question',
    act: (cell) => named(cell, 'readonlyKey', '/v1/incidents', { service: 'checkout', title: cell.name }),
    count: ({ tenant, name }) => rowsOf(sql`SELECT 1 FROM incidents WHERE tenant_id = ${tenant.tenantId} AND title = ${name}`),
  },
  {
    name: 'a key',
    act: (cell) => named(cell, 'readonlyKey', '/v1/api-keys', { key_type: 'ingest', name: cell.name }),
    count: ({ tenant, name }) => rowsOf(sql`SELECT 1 FROM api_keys WHERE tenant_id = ${tenant.tenantId} AND name = ${name}`),
  },
  {
    name: 'a key that is revoked',
    act: ({ tenant, spareKeyId }) => broken.request(`/v1/api-keys/${spareKeyId}`, { key: tenant.readonlyKey, method: 'DELETE' }),
    count: ({ spareKeyId }) => rowsOf(sql`SELECT 1 FROM api_keys WHERE id = ${spareKeyId} AND revoked_at IS NOT NULL`),
  },
  {
    name: 'an integration',
    act: (cell) => named(cell, 'readonlyKey', '/v1/integrations', { type: 'github', direction: 'inbound', config: { service: cell.name } }),
    count: ({ tenant, name }) =>
      rowsOf(sql`SELECT 1 FROM integrations WHERE tenant_id = ${tenant.tenantId} AND config->>'service' = ${name}`),
  },
  {
    name: 'a registration',
    act: (cell) => named(cell, 'ingestKey', '/v1/agents/register', { hostname: cell.name }),
    count: ({ tenant, name }) => rowsOf(sql`SELECT 1 FROM agents WHERE tenant_id = ${tenant.tenantId} AND hostname = ${name}`),
  },
  {
    name: 'a heartbeat',
    act: ({ tenant }) => broken.request(`/v1/agents/${tenant.agentId}/heartbeat`, { key: tenant.ingestKey, method: 'POST' }),
  },
  {
    name: 'a verdict',
    act: ({ tenant, incidentId }) =>
      broken.request(`/v1/incidents/${incidentId}/feedback`, { key: tenant.readonlyKey, method: 'PUT', body: { confirmed: true } }),
    count: ({ incidentId }) => rowsOf(sql`SELECT 1 FROM diagnoses WHERE incident_id = ${incidentId} AND verdict = 'confirmed'`),
  },
  {
    name: 'a resolution',
    act: ({ tenant, incidentId }) => broken.request(`/v1/incidents/${incidentId}/resolve`, { key: tenant.readonlyKey, method: 'PUT' }),
    count: ({ incidentId }) => rowsOf(sql`SELECT 1 FROM incidents WHERE id = ${incidentId} AND resolved_at IS NOT NULL`),
  },
  ...['/v1/services', '/v1/services/{service}/context', '/v1/services/checkout/context', '/v1/agents', '/v1/agents/{agent}'].map(reads),
  ...['/v1/changes', '/v1/incidents', '/v1/api-keys', '/v1/integrations', '/v1/audit', '/v1/quality'].map(reads),
  { name: 'MCP', act: ({ tenant }) => askModern(broken, tenant.readonlyKey, 'tools/call', { name: 'list_services', arguments: {} }) },
  ...['/incidents', '/services', '/settings/keys', '/connect'].map(
    (path): Operation => ({ name: `the page ${path}`, act: ({ visitor }) => visitor.get(path) }),
  ),
  { name: 'health', act: () => broken.request('/health') },
  {
    name: 'a tick of the cron',
    act: async () => {
      await runSweep(broken.deps, nextMinute()).catch(() => {})
      return undefined
    },
  },
]

let minute = Math.ceil(Date.now() / 60_000)

function nextMinute(): Date {
  minute += 1
  return new Date(60_000 * minute)
}

async function prepare(): Promise<Cell> {
  const tenant = await createTestTenant(healthy)
  await healthy.request('/v1/events', { key: tenant.ingestKey, body: makeEvent() })
  const asked = await healthy.request('/v1/incidents', { key: tenant.readonlyKey, body: { service: 'checkout' } })
  const spare = await healthy.request('/v1/api-keys', { key: tenant.readonlyKey, body: { key_type: 'ingest' } })
  const [{ id: incidentId }, { id: spareKeyId }] = [await asked.json(), await spare.json()]
  await healthy.settle()
  const pager = await connectPager(healthy, tenant)
  // Seen by the app that is to be broken, as in the course of a day.
  await broken.request('/v1/services', { key: tenant.readonlyKey })
  return { tenant, pager, visitor: await signIn(site, tenant.readonlyKey), incidentId, spareKeyId, name: newRef() }
}

async function settle(): Promise<void> {
  await Promise.all([broken.settle(), site.settle()])
}

async function assertWell({ name, act, count }: Operation, break_: () => void): Promise<void> {
  const cell = await prepare()
  const before = broken.logs.length
  break_()
  let status: number | undefined
  try {
    status = (await act(cell))?.status
    await settle()
  } finally {
    database.fault = 'none'
    redis.fault = 'none'
  }
  expect([name, broken.logs.slice(before).filter(({ event }) => event === 'bug')]).toEqual([name, []])
  expect(status ?? 503, name).not.toBe(500)
  if (status !== undefined && status >= 300) {
    expect(status, name).toBe(503)
    const again = (await act(cell))?.status ?? 0
    // What had been revoked is there no more.
    expect(again < 300 || (name === 'a key that is revoked' && again === 404), `${name}, again: ${again}`).toBe(true)
    await settle()
  }
  if (count) expect([name, await count(cell)]).toEqual([name, 1])
  await runSweep(healthy.deps, nextMinute())
  await runSweep(healthy.deps, nextMinute())
  const left = await rowsOf(
    sql`SELECT 1 FROM incident_work WHERE tenant_id = ${cell.tenant.tenantId} AND state = 'due' AND kind = 'diagnosis'`,
  )
  expect([name, left]).toEqual([name, 0])
  const entries = entriesOf(await readWindowOf(healthy, cell.tenant, 'checkout'))
  expect(entries.filter(({ sha }) => sha === cell.name).every(({ count: times }) => times <= 2)).toBe(true)
}

describe.each(FAULTS)('a database that %s', (_fault, fault) => {
  test.each(OPERATIONS.map((operation) => [operation.name, operation] as const))('is survived by %s', async (_name, operation) => {
    await assertWell(operation, () => {
      database.fault = fault
    })
  })
})

describe.each(FAULTS)('a Redis that %s', (_fault, fault) => {
  test.each(OPERATIONS.map((operation) => [operation.name, operation] as const))('is survived by %s', async (_name, operation) => {
    await assertWell(operation, () => {
      redis.fault = fault
    })
  })
})

describe('both away', () => {
  test.each(OPERATIONS.map((operation) => [operation.name, operation] as const))('is survived by %s', async (_name, operation) => {
    await assertWell(operation, () => {
      database.fault = 'lose_reply'
      redis.fault = 'refuse'
    })
  })
})
