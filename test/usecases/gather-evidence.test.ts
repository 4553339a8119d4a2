import { sql } from 'drizzle-orm'
import { expect, inject, test } from 'vitest'
import type { components } from '../../dist/api.d.ts'
import { type EventId, toId } from '../../src/domain/ids.ts'
import { FUNCTIONS } from '../../src/store/functions.ts'
import { findOccurrences } from '../../src/store/occurrences.ts'
import { createTestTenant, listServicesOf, makeEvent, startApp, type TestTenant } from '../support/app.ts'
import { startFaultProxy } from '../support/fault-proxy.ts'

const app = startApp()

const secondsAgo = (seconds: number) => new Date(Date.now() - 1_000 * seconds).toISOString()

async function send(tenant: TestTenant, events: readonly Readonly<Record<string, unknown>>[]): Promise<void> {
  for (let from = 0; from < events.length; from += 500) {
    const response = await app.request('/v1/events/batch', { key: tenant.ingestKey, body: events.slice(from, from + 500) })
    expect(await response.json()).toMatchObject({ accepted: Math.min(500, events.length - from) })
  }
}

async function ask(tenant: TestTenant, asked = app): Promise<components['schemas']['IncidentDetail']> {
  const response = await asked.request('/v1/incidents', { key: tenant.readonlyKey, body: { service: 'checkout', create: true } })
  expect(response.status).toBe(201)
  return await response.json()
}

/** The windows of a snapshot: each service's restarts as [entity, count]. */
function toRestarts({ context_snapshot }: Awaited<ReturnType<typeof ask>>) {
  const windows = context_snapshot?.windows ?? []
  return new Map(windows.map(({ service, restart_events }) => [service, restart_events.map(({ entity, count }) => [entity, count])]))
}

const TIMED_OUT = { status: 504, body: 'timeout' }

/** Whether a request asks Postgres for evidence, with this in it. */
function readsWindows(asked: unknown, what: string): boolean {
  const text = JSON.stringify(asked)
  return text.includes(FUNCTIONS.find_evidence) && text.includes(what)
}

const restart = (service_name: string, seconds: number) =>
  makeEvent({ service_name, vendor: 'kubernetes', entity: `pod of ${service_name}`, event_type: 'restart', timestamp: secondsAgo(seconds) })

/** What was noted of services is as old as their events, though they came at once. */
async function age(tenant: TestTenant, names: readonly string[], seconds: number): Promise<void> {
  const at = secondsAgo(seconds)
  await app.deps.db.execute(sql`UPDATE services SET last_event_at = ${at}::timestamptz,
      last_change_at = CASE WHEN last_change_at IS NOT NULL THEN ${at}::timestamptz END
    WHERE tenant_id = ${tenant.tenantId} AND name IN (SELECT jsonb_array_elements_text(${JSON.stringify(names)}::jsonb))`)
}

test('of a flood, as many occurrences are counted as are looked at, fewer where nothing connects the service with the alert', async () => {
  const tenant = await createTestTenant(app)
  await send(tenant, [makeEvent({ timestamp: secondsAgo(400) })])
  for (const service of ['checkout', 'elsewhere']) {
    await send(
      tenant,
      Array.from({ length: 2_100 }, (_, index) => restart(service, 300 - index / 10)),
    )
  }
  const incident = await ask(tenant)
  expect(toRestarts(incident).get('checkout')).toEqual([['pod of checkout', 2_000]])
  expect(toRestarts(incident).get('elsewhere')).toEqual([['pod of elsewhere', 50]])
  expect(incident.hypothesis).toContain('a4f2c1')
})

test.each([
  [2, 60, 25, 50],
  [40, 20, 2, 5],
  [48, 12, 2, 4],
])(
  'of %s services that nothing connects with the alert, each with %s restarts, the latest %s are read, and %s deploys',
  async (...told) => {
    const [services, each, restarts, deploys] = told
    const tenant = await createTestTenant(app)
    const names = Array.from({ length: services }, (_, index) => `elsewhere-${index}`)
    const places = Array.from({ length: each }, (_, index) => index)
    const deploy = { vendor: 'argocd', event_type: 'deploy' }
    const events = places.flatMap((place) =>
      names
        .map((name) => restart(name, 300 - place))
        .flatMap((event) =>
          [event, { ...event, ...deploy }].map((one) => ({ ...one, entity: `pod ${place} of ${event['service_name']}` })),
        ),
    )
    await send(tenant, [...events, ...places.map((place) => ({ ...restart('checkout', 300 - place), entity: `pod ${place} of checkout` }))])
    const incident = await ask(tenant)
    const deployed = new Map(incident.context_snapshot?.windows.map((window) => [window.service, window.deploy_events.length]))
    const latestOf = (name: string) => places.map((place) => [`pod ${place} of ${name}`, 1])
    expect(toRestarts(incident).get('checkout')).toEqual(latestOf('checkout'))
    for (const name of names) {
      expect(toRestarts(incident).get(name)).toEqual(latestOf(name).slice(-restarts))
      expect(deployed.get(name)).toBe(deploys)
    }
  },
)

test('what nobody changed, as stores and nodes, is read beside an alert though very many services changed last', async () => {
  const tenant = await createTestTenant(app)
  const changed = Array.from({ length: 60 }, (_, index) => makeEvent({ service_name: `changed-${index}`, entity: `changed-${index}` }))
  await send(tenant, [restart('the-node', 60), restart('checkout', 50)])
  await send(tenant, changed)
  const names = (await ask(tenant)).context_snapshot?.windows.map(({ service }) => service) ?? []
  expect(names).toHaveLength(49)
  expect(names.slice(0, 3)).toEqual(['checkout', expect.stringMatching(/^changed-/), 'the-node'])
})

test('a store in trouble is read beside an alert though very many pods were restarted since, for they are their workloads’', async () => {
  const tenant = await createTestTenant(app)
  const store = makeEvent({
    service_name: 'postgres',
    vendor: 'postgres',
    event_type: 'saturation',
    entity: 'orders_db',
    new_value: 'deadlock_detected',
    timestamp: secondsAgo(400),
  })
  const pods = Array.from({ length: 60 }, (_, index) => `prod/billing-7d9f8b6c5-x${(100 + index).toString(36)}k`)
  await send(tenant, [store, ...pods.map((pod, index) => ({ ...restart(pod, 300 - index), entity: pod.slice('prod/'.length) }))])
  const names = (await ask(tenant)).context_snapshot?.windows.map(({ service }) => service) ?? []
  expect(names).toHaveLength(49)
  expect(names).toEqual(expect.arrayContaining(['postgres', 'billing']))
})

test.each([
  { name: 'that has been in trouble for longer than its reports are kept', seconds: [2_700, 1_800, 900, 600, 300, 60], flood: [] },
  {
    name: 'whose trouble is of the kind that the alerting service reports hundreds of times since',
    seconds: [400],
    flood: Array.from({ length: 300 }, (_, index) => ({ ...restart('checkout', 300 - index / 2), event_type: 'saturation' })),
  },
])('a store is read beside an alert and sixty others, $name', async ({ seconds, flood }) => {
  const tenant = await createTestTenant(app)
  const others = Array.from({ length: 60 }, (_, index) => `other-${index}`)
  await send(tenant, [
    ...others.flatMap((name) => [makeEvent({ service_name: name, timestamp: secondsAgo(350) }), restart(name, 250)]),
    ...seconds.map((second) => ({ ...restart('postgres', second), event_type: 'saturation', raw_line: `${second}` })),
    ...flood.map((event, index) => ({ ...event, raw_line: `${index}` })),
    restart('checkout', 200),
  ])
  const ofStore = sql`tenant_id = ${tenant.tenantId} AND service_name = 'postgres'`
  await app.deps.db.execute(sql`UPDATE context_events SET received_at = "timestamp", appeared_at = now() - make_interval(secs => ${Math.max(...seconds)}),
    expires_at = "timestamp" + interval '15 minutes' WHERE ${ofStore}`)
  await app.deps.db.execute(sql`DELETE FROM context_events WHERE ${ofStore} AND expires_at <= now()`)
  expect((await ask(tenant)).context_snapshot?.windows.map(({ service }) => service)).toContain('postgres')
})

test('a service whose name is of two parts is read beside an alert like any that changed', async () => {
  const tenant = await createTestTenant(app)
  const others = Array.from({ length: 60 }, (_, index) =>
    makeEvent({ service_name: `other-${index}`, timestamp: secondsAgo(3_000 + index) }),
  )
  await send(tenant, [
    restart('checkout', 60),
    ...others,
    makeEvent({ service_name: 'acme/pricing', entity: 'acme/pricing', timestamp: secondsAgo(100) }),
  ])
  expect((await ask(tenant)).context_snapshot?.windows.map(({ service }) => service)[1]).toBe('acme/pricing')
})

test.each([
  ['of just now, all received at once', 300, 200, 0],
  ['of hours ago, where it changed once more since, as all did', 9_000, 8_900, 60],
])(
  'what changed next to an alert is read beside it, whatever very many services were told: %s',
  async (_, changedSeconds, alertSeconds, since) => {
    const tenant = await createTestTenant(app)
    const deployed = (name: string, seconds: number) =>
      makeEvent({ service_name: name, entity: name, sha: `${seconds}`, timestamp: secondsAgo(seconds) })
    const others = Array.from({ length: 60 }, (_, index) => `other-${index}`)
    await send(tenant, [
      ...others.map((name) => deployed(name, changedSeconds + 3_000)),
      restart('checkout', alertSeconds + 10),
      deployed('pricing', changedSeconds),
      ...others.map((name) => deployed(name, changedSeconds + 2_000)),
      ...(since > 0 ? ['pricing', ...others].map((name) => deployed(name, since)) : []),
    ])
    const body = { service: 'checkout', triggered_at: secondsAgo(alertSeconds) }
    const incident = await (await app.request('/v1/incidents', { key: tenant.readonlyKey, body })).json()
    const names: readonly { service: string }[] = incident.context_snapshot.windows
    expect(names.slice(0, 2).map(({ service }) => service)).toEqual(['checkout', 'pricing'])
  },
)

test('a service that errors name before anybody learned of the call is read whole, though many others changed', async () => {
  const tenant = await createTestTenant(app)
  const others = Array.from({ length: 40 }, (_, index) =>
    makeEvent({ service_name: `other-${index}`, entity: `other-${index}`, timestamp: secondsAgo(900 - index) }),
  )
  const settings = Array.from({ length: 60 }, (_, index) =>
    makeEvent({
      service_name: 'payments',
      event_type: 'config_change',
      entity: `setting-${index}`,
      new_value: `${index}`,
      sha: undefined,
      timestamp: secondsAgo(300 - index),
    }),
  )
  const call = { vendor: 'pino', event_type: 'dependency_failure', entity: 'payments', new_value: 'ECONNREFUSED', sha: undefined }
  const failing = [230, 220, 210].map((seconds) => makeEvent({ ...call, raw_line: `${seconds}`, timestamp: secondsAgo(seconds) }))
  await send(tenant, [...others, ...settings, ...failing])
  const { context_snapshot } = await ask(tenant)
  const windows = new Map(context_snapshot?.windows.map((window) => [window.service, window]))
  expect(windows.get('payments')?.config_change_events).toHaveLength(60)
  expect(windows.size).toBe(42)
  expect([...windows.keys()].slice(0, 2)).toEqual(['checkout', 'payments'])

  const database = await startFaultProxy(inject('stack').databaseEndpoint)
  const slow = startApp({ database: database.url })
  database.fault = (asked) => (readsWindows(asked, 'payments') ? TIMED_OUT : 'none')
  const brief = await ask(tenant, slow)
  expect(brief.status).not.toBe('diagnosing')
  expect(brief.context_snapshot?.windows.find((window) => window.service === 'payments')?.config_change_events).toHaveLength(2)
})

/** What sixty services that were changed, and sixty that were not, tell just now: they take the places of what nothing connects with an alert. */
const crowd = Array.from({ length: 60 }, (_, index) => [
  makeEvent({ service_name: `crowd-${index}`, entity: `crowd-${index}` }),
  restart(`crowd-of-nodes-${index}`, 1),
]).flat()

test('services are read as far as circuits open along the way from the alert, though nobody learned of the calls', async () => {
  const tenant = await createTestTenant(app)
  const circuit = (service_name: string, entity: string, seconds: number) =>
    makeEvent({
      service_name,
      vendor: 'opossum',
      event_type: 'circuit_open',
      entity,
      old_value: 'CLOSED',
      new_value: 'OPEN',
      sha: undefined,
      timestamp: secondsAgo(seconds),
    })
  await send(tenant, [
    makeEvent({ service_name: 'rates', entity: 'rates', sha: '7a7e5000', timestamp: secondsAgo(420) }),
    circuit('pricing', 'rates', 330),
    circuit('bff', 'pricing', 310),
    circuit('checkout', 'bff', 290),
  ])
  await age(tenant, ['rates', 'pricing', 'bff'], 300)
  await send(tenant, crowd)
  const { hypothesis } = await ask(tenant)
  expect(hypothesis).toMatch(/^Deploy sha=7a7e5000 to rates/)
})

const flag = (service_name: string, seconds: number, fields: Readonly<Record<string, unknown>> = {}) =>
  makeEvent({
    service_name,
    vendor: 'flagd',
    event_type: 'flag_change',
    entity: 'newPricingEngine',
    old_value: 'off',
    new_value: 'on',
    sha: undefined,
    timestamp: secondsAgo(seconds),
    ...fields,
  })
const failing = (text: string) => {
  const call = { vendor: 'pino', event_type: 'dependency_failure', entity: 'pricing', sha: undefined }
  return [300, 240, 180].flatMap((seconds) => [
    makeEvent({ ...call, service_name: 'pricing', new_value: text, timestamp: secondsAgo(seconds) }),
    makeEvent({ ...call, new_value: 'pricing:50051: connection refused', timestamp: secondsAgo(seconds - 5) }),
  ])
}
const FRAMES = Array.from({ length: 40 }, (_, index) => `com.acme.Frame${index}`).join(' ')
const elsewhere = Array.from({ length: 20 }, (_, index) => flag(`flags-${index}`, 3_000 - index))

test.each<{ name: string; text: string; earlier?: readonly ReturnType<typeof flag>[] }>([
  { name: 'named', text: 'panic: flag newPricingEngine=on: nil map' },
  { name: 'at the end of a sentence', text: 'cannot evaluate flag newPricingEngine.' },
  { name: 'behind a trace of the stack', text: `${FRAMES} flag newPricingEngine=on` },
  { name: 'kept by twenty others an hour ago', text: 'panic: flag newPricingEngine=on: nil map', earlier: elsewhere },
])('the flag that failures name is found wherever it is kept, though many others changed: $name', async ({ text, earlier = [] }) => {
  const tenant = await createTestTenant(app)
  await send(tenant, earlier)
  await send(tenant, [flag('flags-eu', 420), ...failing(text)])
  await age(tenant, ['flags-eu', ...earlier.map(({ service_name }) => String(service_name))], 400)
  await send(tenant, crowd)
  const { hypothesis, context_snapshot } = await ask(tenant)
  const keepers = context_snapshot?.windows.filter(({ service }) => service.startsWith('flags-'))
  expect(keepers?.[0]?.service).toBe('flags-eu')
  expect(keepers?.length).toBeLessThanOrEqual(8)
  expect(hypothesis).toMatch(/^Flag change of newPricingEngine to on/)
})

test('a flag of that name that another tenant keeps is not read, and one that takes too long to find spoils nothing', async () => {
  const [other, tenant] = [await createTestTenant(app), await createTestTenant(app)]
  await send(
    other,
    Array.from({ length: 10 }, (_, index) => flag(`flags-${index}`, 420)),
  )
  const failures = failing('panic: flag newPricingEngine=on: nil map')
  await send(tenant, [makeEvent({ service_name: 'pricing', entity: 'pricing', sha: 'dddd111', timestamp: secondsAgo(320) }), ...failures])
  const alone = await ask(tenant)
  expect(alone.context_snapshot?.windows.map(({ service }) => service)).toEqual(['checkout', 'pricing'])
  expect(alone.hypothesis).toMatch(/^Deploy sha=dddd111 to pricing/)

  await send(tenant, [flag('flags-eu', 20_000)])
  expect((await ask(tenant)).context_snapshot?.windows.map(({ service }) => service)).toContain('flags-eu')
  const database = await startFaultProxy(inject('stack').databaseEndpoint)
  database.fault = (asked) => (readsWindows(asked, 'newPricingEngine') ? TIMED_OUT : 'none')
  const slow = startApp({ database: database.url })
  expect((await ask(tenant, slow)).hypothesis).toMatch(/^Deploy sha=dddd111 to pricing/)
  expect(slow.logs.map(({ event }) => event)).toContain('evidence_reduced')
})

test('of each key that failures name the latest keeper is read, though another key was changed later at many', async () => {
  const tenant = await createTestTenant(app)
  const settings = Array.from({ length: 12 }, (_, index) =>
    flag(`keeper-${index}`, 360 - index, { event_type: 'config_change', entity: 'DATABASE_URL', new_value: 'v7' }),
  )
  const later = flag('flags-later', 1, { timestamp: secondsAgo(-90) })
  await send(tenant, [flag('flags-eu', 420), later, ...settings, ...failing('DATABASE_URL=*** panic: flag newPricingEngine=on: nil map')])
  await age(tenant, ['flags-eu', 'flags-later', ...settings.map(({ service_name }) => String(service_name))], 400)
  await send(tenant, crowd)
  const body = { service: 'checkout', triggered_at: secondsAgo(120), observed_until: secondsAgo(100) }
  const { context_snapshot } = await (await app.request('/v1/incidents', { key: tenant.readonlyKey, body })).json()
  const keepers: readonly string[] = context_snapshot.windows.map(({ service }: { service: string }) => service)
  expect(keepers).toContain('flags-eu')
  expect(keepers).not.toContain('flags-later')
})

test('where settings that failures happen to name are kept takes no place of what stands next to the alert', async () => {
  const tenant = await createTestTenant(app)
  const keys = ['LOG_LEVEL', 'DATABASE_URL', 'HTTP_TIMEOUT', 'MAX_POOL_SIZE']
  const long = 'v'.repeat(1_000)
  const kept = Array.from({ length: 12 }, (_, index) =>
    keys.flatMap((entity) =>
      Array.from({ length: 12 }, (_, turn) =>
        flag(`keeper-${index}`, 4_000 - turn, {
          event_type: 'config_change',
          entity: turn === 0 ? entity : `${entity}-${turn}`,
          new_value: long,
        }),
      ),
    ),
  ).flat()
  await send(tenant, kept)
  const text = 'Connection lost (LOG_LEVEL=info DATABASE_URL=*** HTTP_TIMEOUT=3s MAX_POOL_SIZE=10)'
  await send(tenant, [
    makeEvent({
      vendor: 'pino',
      event_type: 'dependency_failure',
      entity: 'checkout',
      new_value: text,
      sha: undefined,
      timestamp: secondsAgo(2),
    }),
    makeEvent({
      service_name: 'store',
      vendor: 'postgres',
      event_type: 'restart',
      entity: 'store',
      new_value: 'failover',
      sha: undefined,
      timestamp: secondsAgo(12),
    }),
  ])
  const { hypothesis, context_snapshot } = await ask(tenant)
  const names = context_snapshot?.windows.map(({ service }) => service) ?? []
  expect(names.indexOf('store')).toBeGreaterThan(0)
  expect(names.filter((name) => name.startsWith('keeper-')).length).toBeGreaterThan(0)
  expect(hypothesis).toMatch(/^store has been restarting \(failover\)/)
})

test('a name is looked up though forty calls to hosts that nobody knows failed since', async () => {
  const tenant = await createTestTenant(app)
  const call = { vendor: 'pino', event_type: 'dependency_failure', new_value: 'ECONNREFUSED', sha: undefined }
  await send(tenant, [
    makeEvent({ service_name: 'pricing', entity: 'pricing', sha: 'dddd111', timestamp: secondsAgo(320) }),
    ...[300, 290, 280].map((seconds) => makeEvent({ ...call, entity: 'pricing', raw_line: `${seconds}`, timestamp: secondsAgo(seconds) })),
    ...Array.from({ length: 40 }, (_, index) => makeEvent({ ...call, entity: `host-${index}`, timestamp: secondsAgo(200 - index) })),
  ])
  await age(tenant, ['pricing'], 400)
  await send(tenant, crowd)
  const { context_snapshot } = await ask(tenant)
  expect(context_snapshot?.windows[1]?.service).toBe('pricing')
})

test('errors that trickled in for hours and burst after a deploy are two entries, and the burst is the onset', async () => {
  const tenant = await createTestTenant(app)
  const errorOf = (new_value: string) => (seconds: number) =>
    makeEvent({
      service_name: 'checkout',
      vendor: 'pino',
      entity: 'checkout',
      event_type: 'dependency_failure',
      new_value,
      raw_line: `${new_value} ${seconds}`,
      timestamp: secondsAgo(seconds),
      ttl_seconds: 36_000,
    })
  const every = (count: number, from: number, gap: number) => Array.from({ length: count }, (_, index) => from - index * gap)
  const trickle = every(20, 12_000, 580)
  await send(tenant, [makeEvent({ service_name: 'checkout', entity: 'checkout', timestamp: secondsAgo(240) })])
  const burst = [...trickle, ...every(60, 200, 3)].map(errorOf('timeout awaiting response'))
  await send(tenant, [...burst, ...trickle.map(errorOf('EPIPE'))])
  const { hypothesis, context_snapshot } = await ask(tenant)
  const failures = context_snapshot?.windows[0]?.dependency_failure_events.map(({ new_value, count }) => [new_value, count])

  expect(failures).toEqual([
    ['timeout awaiting response', 20],
    ['EPIPE', 20],
    ['timeout awaiting response', 60],
  ])
  expect(hypothesis).toMatch(/ to checkout rolled out 4\d seconds before onset/)
  const ids = context_snapshot?.windows[0]?.dependency_failure_events.map(({ id }) => toId<EventId>(id)) ?? []
  const stranger = await createTestTenant(app)
  const [own, others] = await Promise.all(
    [tenant, stranger].map(({ tenantId }) => findOccurrences(app.deps.db, tenantId, ids, { until: null, sampleSize: 100 })),
  )
  expect([own?.size, others?.size]).toEqual([3, 0])
})

test('when reading takes too long, what is connected with the alert is read in parts, whatever becomes of some', async () => {
  const tenant = await createTestTenant(app)
  const declared = Array.from({ length: 12 }, (_, index) => `callee-${index}`)
  await send(tenant, [
    makeEvent({ timestamp: secondsAgo(400) }),
    ...['checkout', 'elsewhere', ...declared].map((name) => restart(name, 300)),
  ])
  const services = await listServicesOf(app, tenant)
  const path = `/v1/services/${services.get('checkout')?.id}/dependencies`
  expect((await app.request(path, { method: 'PUT', key: tenant.readonlyKey, body: { declared } })).status).toBe(200)
  expect([...toRestarts(await ask(tenant)).keys()].sort()).toEqual([...declared, 'checkout', 'elsewhere'].sort())

  const database = await startFaultProxy(inject('stack').databaseEndpoint)
  const slow = startApp({ database: database.url })
  database.fault = (asked) => (readsWindows(asked, '"2000"') ? TIMED_OUT : 'none')
  const incident = await ask(tenant, slow)
  expect([...toRestarts(incident).keys()].sort()).toEqual([...declared, 'checkout', 'elsewhere'].sort())
  expect(slow.logs).toContainEqual(expect.objectContaining({ event: 'evidence_reduced', tenant_id: tenant.tenantId }))

  slow.logs.length = 0
  database.fault = (asked) => (JSON.stringify(asked).includes(FUNCTIONS.find_recent_lives) ? TIMED_OUT : 'none')
  expect([...toRestarts(await ask(tenant, slow)).keys()].sort()).toEqual([...declared, 'checkout'].sort())
  expect(slow.logs).toContainEqual(expect.objectContaining({ event: 'evidence_reduced', tenant_id: tenant.tenantId }))

  let parts = 0
  database.fault = (asked) => {
    if (readsWindows(asked, '"2000"')) return TIMED_OUT
    if (!readsWindows(asked, '"100"')) return 'none'
    parts += 1
    return parts === 2 ? TIMED_OUT : 'none'
  }
  const partial = await ask(tenant, slow)
  expect(toRestarts(partial).size).toBe(1 + 7 + 1)
})

test('a diagnosis goes on without what is usual when that takes too long to count', async () => {
  const tenant = await createTestTenant(app)
  await send(tenant, [makeEvent({ timestamp: secondsAgo(400) }), restart('checkout', 300)])
  const database = await startFaultProxy(inject('stack').databaseEndpoint)
  const slow = startApp({ database: database.url })
  database.fault = (asked) => (JSON.stringify(asked).includes('event_counts') ? TIMED_OUT : 'none')
  const incident = await ask(tenant, slow)
  expect(incident.hypothesis).toContain('a4f2c1')
  expect(incident.context_snapshot?.counts).toEqual({ hours_observed: 0, kinds: [] })
  expect(slow.logs).toContainEqual(expect.objectContaining({ event: 'history_left_out', tenant_id: tenant.tenantId }))
})

const fillCounts = async (tenant: TestTenant, name: string, hours: number, entities: number) => {
  const service = (await listServicesOf(app, tenant)).get(name)
  await app.deps.db.execute(sql`INSERT INTO event_counts (tenant_id, service_id, hour, kind_key, vendor, event_type, entity, value_class, count)
    SELECT ${tenant.tenantId}, ${service?.id}, date_trunc('hour', now()) - make_interval(hours => h), gen_random_uuid(), 'kubernetes',
      'restart', 'pod ' || e, 'OOMKilled', 2 FROM generate_series(0, ${hours - 1}::int) h, generate_series(1, ${entities}::int) e`)
}

const toKinds = ({ context_snapshot }: Awaited<ReturnType<typeof ask>>) =>
  new Map(context_snapshot?.counts.kinds.map(({ service, count, hours }) => [service, { count, hours }]))

test('what is usual is told from the latest counts of a service that has more than its share', async () => {
  const tenant = await createTestTenant(app)
  const others = Array.from({ length: 46 }, (_, index) => `other-${index}`)
  await send(tenant, [makeEvent({ timestamp: secondsAgo(400) }), ...['quiet', ...others].map((name) => restart(name, 300))])
  await fillCounts(tenant, 'quiet', 100, 1)
  await fillCounts(tenant, 'checkout', 100, 60)
  await fillCounts(tenant, 'other-0', 100, 20)
  const incident = await ask(tenant)
  const observed = incident.context_snapshot?.counts.hours_observed ?? 0
  expect([100, 101]).toContain(observed)
  expect(toKinds(incident).get('quiet')).toEqual({ count: 200, hours: 100 })
  // Of the alerting service a fifth of its 6,000 counts was looked at, of the other not all of its 2,000 either.
  for (const [name, count] of [
    ['checkout', 12_000],
    ['other-0', 4_000],
  ] as const) {
    expect(toKinds(incident).get(name)?.hours).toBeGreaterThan(0.9 * observed)
    expect(Math.abs((toKinds(incident).get(name)?.count ?? 0) - count)).toBeLessThan(0.1 * count)
  }
})

test.each([
  {
    name: 'though it was read as one of the others before, of as much as of any that is near',
    seconds: 101,
    counted: { hours: 10, entities: 100 },
  },
  { name: 'though it is read for that alone', seconds: 3_000, counted: { hours: 30, entities: 1 } },
])('what is usual is told of a service that errors name, $name', async ({ seconds, counted: { hours, entities } }) => {
  const tenant = await createTestTenant(app)
  const others = Array.from({ length: 60 }, (_, index) => restart(`other-${index}`, 60 + 2 * index))
  const call = { vendor: 'pino', event_type: 'dependency_failure', entity: 'ledger', new_value: 'ECONNREFUSED', sha: undefined }
  await send(tenant, [restart('ledger', seconds), ...others, makeEvent({ ...call, timestamp: secondsAgo(210) })])
  await fillCounts(tenant, 'checkout', 100, 1)
  await fillCounts(tenant, 'ledger', hours, entities)
  const incident = await ask(tenant)
  expect(incident.context_snapshot?.windows.map(({ service }) => service).slice(0, 2)).toEqual(['checkout', 'ledger'])
  expect([...toKinds(incident)].toSorted()).toEqual([
    ['checkout', { count: 200, hours: 100 }],
    ['ledger', { count: 2 * hours * entities, hours }],
  ])
})

test('what the last hours of a service were like is not taken for what is usual of it, where they have all of the counts that are looked at', async () => {
  const tenant = await createTestTenant(app)
  await send(tenant, [makeEvent({ timestamp: secondsAgo(400) }), restart('checkout', 300), restart('quiet', 300)])
  await fillCounts(tenant, 'quiet', 200, 1)
  await fillCounts(tenant, 'checkout', 3, 4_000)
  const incident = await ask(tenant)
  expect(toKinds(incident).get('checkout')?.hours).toBeLessThanOrEqual(3)
})

test.each([
  { swept: 'all', kept: sql`expires_at > now()` },
  { swept: 'some', kept: sql`expires_at > now() - interval '3 minutes'` },
  { swept: 'none', kept: sql`true` },
])('errors that outlast their TTL began when they began, $swept of what expired swept', async ({ kept }) => {
  const tenant = await createTestTenant(app)
  const error = (seconds: number) =>
    makeEvent({
      ...{ service_name: 'checkout', vendor: 'pino', entity: 'checkout', event_type: 'dependency_failure', new_value: 'ECONNRESET' },
      ...{ raw_line: `ECONNRESET ${seconds}`, timestamp: secondsAgo(seconds), ttl_seconds: 600 },
    })
  const deploy = makeEvent({ service_name: 'checkout', entity: 'checkout', timestamp: secondsAgo(500), ttl_seconds: 600 })
  await send(tenant, [...Array.from({ length: 120 }, (_, index) => error(1_200 - 10 * index)), deploy])
  // As each would be had it been received when it happened.
  await app.deps.db.execute(sql`UPDATE context_events e SET received_at = "timestamp", expires_at = "timestamp" + interval '10 minutes',
    appeared_at = (SELECT min(o."timestamp") FROM context_events o WHERE o.change_key = e.change_key AND o.tenant_id = e.tenant_id) WHERE tenant_id = ${tenant.tenantId}`)
  await app.deps.db.execute(sql`DELETE FROM context_events WHERE tenant_id = ${tenant.tenantId} AND NOT ${kept}`)
  const { assessment, hypothesis, context_snapshot } = await ask(tenant)
  const failures = context_snapshot?.windows[0]?.dependency_failure_events.map(({ count, first_timestamp }) => [count, first_timestamp])

  expect(assessment).toBe('unrecorded')
  expect(hypothesis).not.toContain('rolled out')
  expect(failures).toEqual([[expect.any(Number), expect.any(String)]])
  const [[count, since] = []] = failures ?? []
  expect(Math.abs(Number(count) - 120)).toBeLessThan(5)
  expect(Math.abs(Date.now() - Date.parse(String(since)) - 1_200_000)).toBeLessThan(60_000)
})
