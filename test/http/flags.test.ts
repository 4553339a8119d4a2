import { sql } from 'drizzle-orm'
import { describe, expect, test } from 'vitest'
import { launchdarkly } from '../../src/domain/doors/launchdarkly.ts'
import { unleash } from '../../src/domain/doors/unleash.ts'
import {
  createTestTenant,
  type EntryBody,
  entriesOf,
  listServicesOf,
  makeEvent,
  readWindowOf,
  startApp,
  type TestTenant,
} from '../support/app.ts'

const app = startApp()

/** The flag of the doors' examples. */
const FLAG = 'express-checkout'

async function post(tenant: TestTenant, path: string, body: unknown): Promise<void> {
  const response = await app.request(path, { key: tenant.ingestKey, body })
  expect(response.status).toBeLessThan(300)
}

const attribute = (key: string, stringValue: string) => ({ key, value: { stringValue } })

/** What an OpenTelemetry SDK tells of an evaluation: its reason decides whether that is an event. */
const toLogs = (service: string, flags: readonly string[], reason = 'targeting_match') => ({
  resourceLogs: [
    {
      resource: { attributes: [attribute('service.name', service)] },
      scopeLogs: [
        {
          logRecords: flags.map((flag) => ({
            timeUnixNano: `${Date.now()}000000`,
            eventName: 'feature_flag.evaluation',
            attributes: [
              attribute('feature_flag.key', flag),
              attribute('feature_flag.result.variant', 'on'),
              attribute('feature_flag.result.reason', reason),
              attribute('feature_flag.provider.name', 'LaunchDarkly'),
            ],
          })),
        },
      ],
    },
  ],
})

const evaluate = (tenant: TestTenant, service = 'checkout', reason?: string) => post(tenant, '/v1/logs', toLogs(service, [FLAG], reason))

const makeFlag = (fields: Readonly<Record<string, unknown>> = {}) =>
  makeEvent({
    service_name: 'toggles',
    vendor: 'home-grown',
    event_type: 'flag_change',
    entity: FLAG,
    old_value: 'off',
    new_value: 'on',
    sha: undefined,
    ...fields,
  })

const SENDERS = {
  LaunchDarkly: ['/in/launchdarkly', launchdarkly.example.body],
  Unleash: ['/in/unleash', unleash.example.body],
  flagd: ['/v1/events', makeFlag({ service_name: 'flagd', vendor: 'flagd' })],
  'a sender of its own': ['/v1/events', makeFlag()],
} as const

const flagsOf = async (tenant: TestTenant, service: string, rule = 'evaluates') =>
  entriesOf(await readWindowOf(app, tenant, service)).filter(({ joined_by }) => joined_by === rule)

/** Opens services, for windows to be there. */
const open = (tenant: TestTenant, ...services: readonly string[]) =>
  post(
    tenant,
    '/v1/events/batch',
    services.map((service) => makeEvent({ service_name: service, entity: service, event_type: 'restart' })),
  )

describe.each(Object.entries(SENDERS))('a flag that %s changes', (_name, [path, body]) => {
  test.each([
    ['before', 'targeting_match'],
    ['before', 'static'],
    ['after', 'targeting_match'],
    ['after', 'static'],
  ])('is in the window of whoever evaluated it, %s it changed and for any reason: %s', async (when, reason) => {
    const tenant = await createTestTenant(app)
    await open(tenant, 'checkout', 'search')
    if (when === 'before') await evaluate(tenant, 'checkout', reason)
    await post(tenant, path, body)
    if (when === 'after') await evaluate(tenant, 'checkout', reason)
    expect(await flagsOf(tenant, 'checkout')).toMatchObject([{ entity: FLAG, event_type: 'flag_change', new_value: 'on', count: 1 }])
    expect(await flagsOf(tenant, 'search')).toEqual([])
    expect(await flagsOf(tenant, 'checkout', 'service_name')).toHaveLength(reason === 'static' ? 1 : 2)
  })
})

test('no flag becomes a service, nor does whoever evaluates one for the first time get an event for a default', async () => {
  const tenant = await createTestTenant(app)
  await evaluate(tenant, 'checkout', 'default')
  for (const [path, body] of Object.values(SENDERS)) await post(tenant, path, body)
  expect([...(await listServicesOf(app, tenant)).keys()].toSorted()).toEqual(['flagd', 'launchdarkly', 'toggles', 'unleash'])
  await open(tenant, 'checkout')
  expect(await flagsOf(tenant, 'checkout')).toHaveLength(4)
})

test('an evaluation is its own service’s alone: by OpenTelemetry, and of flagd where a line or an event names the client', async () => {
  const tenant = await createTestTenant(app)
  await evaluate(tenant, 'checkout')
  await evaluate(tenant, 'search')
  const line = { flagKey: FLAG, variant: 'beta', defaultVariant: 'off', client: 'cart', msg: 'flag evaluation' }
  await post(tenant, '/v1/logs', {
    resourceLogs: [
      {
        resource: { attributes: [attribute('service.name', 'flagd')] },
        scopeLogs: [{ logRecords: [{ body: { stringValue: JSON.stringify(line) } }] }],
      },
    ],
  })
  await post(tenant, '/v1/events', makeFlag({ service_name: 'web', vendor: 'flagd' }))
  const services = ['checkout', 'search', 'cart', 'web']
  for (const service of services) {
    expect(await flagsOf(tenant, service)).toEqual([])
    expect(await flagsOf(tenant, service, 'service_name')).toHaveLength(1)
  }
  await post(tenant, '/in/unleash', unleash.example.body)
  for (const service of services) expect(await flagsOf(tenant, service)).toMatchObject([{ vendor: 'unleash' }])
  expect([...(await listServicesOf(app, tenant)).keys()].toSorted()).toEqual([...services, 'unleash'].toSorted())
})

test('a staging evaluation that the door leaves out tells nothing, nor does another tenant’s', async () => {
  const [tenant, other] = [await createTestTenant(app), await createTestTenant(app)]
  await open(tenant, 'checkout')
  await evaluate(other, 'checkout')
  const { resourceLogs } = toLogs('checkout', [FLAG])
  const staging = resourceLogs.map(({ resource: { attributes }, ...rest }) => ({
    ...rest,
    resource: { attributes: [...attributes, attribute('deployment.environment.name', 'staging')] },
  }))
  await post(tenant, '/v1/logs', { resourceLogs: staging })
  await post(tenant, '/in/unleash', unleash.example.body)
  expect(await flagsOf(tenant, 'checkout')).toEqual([])
})

test('a change that a service’s name and its evaluation lead to is one entry, and repeats are counted', async () => {
  const tenant = await createTestTenant(app)
  await post(tenant, '/v1/logs', toLogs('checkout', ['checkout'], 'static'))
  await open(tenant, 'checkout')
  for (const _ of [1, 2]) await post(tenant, '/v1/events', makeFlag({ entity: 'checkout' }))
  const flags = entriesOf(await readWindowOf(app, tenant, 'checkout')).filter(({ event_type }) => event_type === 'flag_change')
  expect(flags).toMatchObject([{ count: 2, joined_by: 'entity' }])
})

test('changes of a service include those of its flags', async () => {
  const tenant = await createTestTenant(app)
  await open(tenant, 'checkout', 'search')
  await evaluate(tenant, 'checkout', 'static')
  await post(tenant, '/v1/events', makeFlag())
  const list = async (service: string) =>
    (await (await app.request(`/v1/changes?service=${service}&types=flag_change`, { key: tenant.readonlyKey })).json()) as EntryBody[]
  expect(await list('checkout')).toMatchObject([{ entity: FLAG, service: 'toggles' }])
  expect(await list('search')).toEqual([])
})

test('a day after the last evaluation its flag concerns the service no more, until it asks again', async () => {
  const tenant = await createTestTenant(app)
  await open(tenant, 'checkout')
  await evaluate(tenant)
  await post(tenant, '/v1/events', makeFlag())
  expect(await flagsOf(tenant, 'checkout')).toHaveLength(1)
  const { db } = app.deps
  await db.execute(sql`UPDATE flag_evaluators SET expires_at = expires_at - interval '25 hours' WHERE tenant_id = ${tenant.tenantId}`)
  expect(await flagsOf(tenant, 'checkout')).toEqual([])
  await evaluate(tenant)
  expect(await flagsOf(tenant, 'checkout')).toHaveLength(1)
})

test('of a flag fifty services are known, of a service two hundred flags', async () => {
  const tenant = await createTestTenant(app)
  const count = async (where: ReturnType<typeof sql>) =>
    (await app.deps.db.execute(sql`SELECT 1 FROM flag_evaluators WHERE tenant_id = ${tenant.tenantId} AND ${where}`)).rows.length
  const flags = Array.from({ length: 260 }, (_, index) => `flag-${index}`)
  await post(tenant, '/v1/logs', toLogs('checkout', flags.slice(0, 150), 'static'))
  await post(tenant, '/v1/logs', toLogs('checkout', flags, 'static'))
  expect(await count(sql`true`)).toBe(200)
  const services = Array.from({ length: 60 }, (_, index) => toLogs(`service-${index}`, [FLAG], 'static').resourceLogs).flat()
  await post(tenant, '/v1/logs', { resourceLogs: services })
  expect(await count(sql`flag_key = ${`flag:${FLAG}`}`)).toBe(50)
})

const minutesAgo = (minutes: number) => new Date(Date.now() - 60_000 * minutes).toISOString()

test('an incident of a service is blamed on the flag that it evaluates, whoever changed it', async () => {
  const tenant = await createTestTenant(app)
  await evaluate(tenant)
  await post(tenant, '/v1/events/batch', [
    makeFlag({ service_name: 'launchdarkly', vendor: 'launchdarkly', actor: 'mira', timestamp: minutesAgo(4), confidence: 0.95 }),
    makeFlag({ service_name: 'launchdarkly', vendor: 'launchdarkly', entity: 'dark-mode', timestamp: minutesAgo(3), confidence: 0.95 }),
    makeEvent({ service_name: 'search', entity: 'search', timestamp: minutesAgo(3) }),
    ...[1, 2, 3].map((minute) =>
      makeEvent({
        service_name: 'storefront',
        vendor: 'pino',
        entity: 'checkout',
        event_type: 'dependency_failure',
        new_value: 'connect ECONNREFUSED checkout:8080',
        sha: undefined,
        timestamp: minutesAgo(minute),
      }),
    ),
  ])
  const response = await app.request('/v1/incidents', {
    key: tenant.readonlyKey,
    body: { service: 'storefront', title: 'error rate', observed_until: new Date().toISOString(), triggered_at: minutesAgo(1) },
  })
  expect(response.status).toBe(201)
  const { hypothesis, recommended_action, hypotheses, evidence } = await response.json()
  expect(hypothesis).toMatch(new RegExp(`^Flag change of ${FLAG} to on at checkout took effect`))
  expect(recommended_action).toMatch(new RegExp(`flag ${FLAG} back to off`))
  expect(hypotheses[0].reasons_for).toContain(`checkout evaluates ${FLAG}`)
  expect(evidence).toEqual(expect.arrayContaining([expect.objectContaining({ entity: FLAG, vendor: 'launchdarkly', actor: 'mira' })]))
  expect(hypotheses.slice(1).map(({ service }: { service: string }) => service)).not.toContain('launchdarkly')
})
