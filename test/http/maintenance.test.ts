import { describe, expect, test } from 'vitest'
import { createTestTenant, makeEvent, startApp, type TestTenant } from '../support/app.ts'
import { callTool } from '../support/mcp.ts'
import { connectPager, deliver, listNotes, makeDelivery, newRef } from '../support/pagerduty.ts'
import { connectReceiver, listTaken, newPath, toUrl } from '../support/receivers.ts'

const app = startApp()

const inMinutes = (minutes: number) => new Date(Date.now() + 60_000 * minutes).toISOString()

const plan = (tenant: TestTenant, body: Readonly<Record<string, unknown>>, headers: Readonly<Record<string, string>> = {}) =>
  app.request('/v1/maintenance', { key: tenant.readonlyKey, body, headers })

const assign = (tenant: TestTenant, service: string, body: unknown) =>
  app.request(`/v1/services/${encodeURIComponent(service)}`, { key: tenant.readonlyKey, method: 'PUT', body })

async function start(config: Readonly<Record<string, unknown>> = {}) {
  const tenant = await createTestTenant(app)
  const path = newPath('webhook')
  await connectReceiver(app, tenant, 'webhook', { url: toUrl(path), on: ['incident.diagnosed', 'incident.resolved'], ...config })
  await app.request('/v1/events', { key: tenant.ingestKey, body: makeEvent() })
  return { tenant, told: async () => (await listTaken(path)).length }
}

async function ask(tenant: TestTenant, body: Readonly<Record<string, unknown>> = {}) {
  const response = await app.request('/v1/incidents', { key: tenant.readonlyKey, body: { service: 'checkout', ...body } })
  await app.settle()
  return await response.json()
}

describe('a maintenance window', () => {
  test('is planned, listed and ended early; the audit has both', async () => {
    const { tenant } = await start()
    const planned = await plan(tenant, { service: 'CHECK-OUT', from: inMinutes(60), until: inMinutes(120), reason: 'upgrade' })
    expect(planned.status).toBe(201)
    const window = await planned.json()
    expect(window).toMatchObject({ service: 'checkout', team: null, reason: 'upgrade' })
    const list = async () => await (await app.request('/v1/maintenance', { key: tenant.readonlyKey })).json()
    expect(await list()).toEqual([window])
    for (const _ of [1, 2]) {
      expect((await app.request(`/v1/maintenance/${window.id}`, { key: tenant.readonlyKey, method: 'DELETE' })).status).toBe(204)
    }
    expect(await list()).toEqual([])
    const audit = await (await app.request('/v1/audit', { key: tenant.readonlyKey })).json()
    const actions = audit.map(({ action, target_id }: Record<string, string>) => [action, target_id])
    expect(actions.slice(0, 2)).toEqual([
      ['maintenance.ended', window.id],
      ['maintenance.planned', window.id],
    ])
  })

  test.each([
    [{ until: inMinutes(60) }, 400],
    [{ service: 'checkout', team: 'payments', until: inMinutes(60) }, 400],
    [{ service: 'checkout' }, 400],
    [{ service: 'checkout', until: 'soon' }, 400],
    [{ service: 'checkout', from: 'now', until: inMinutes(60) }, 400],
    [{ service: 'checkout', from: inMinutes(60), until: inMinutes(30) }, 400],
    [{ service: 'checkout', until: inMinutes(60 * 24 * 32) }, 400],
    [{ service: 'nobody-knows-it', until: inMinutes(60) }, 404],
  ])('%j is refused', async (body, status) => {
    const { tenant } = await start()
    expect((await plan(tenant, body)).status).toBe(status)
  })

  test('is the tenant’s alone, and a request that comes again plans no second one', async () => {
    const { tenant } = await start()
    const other = await createTestTenant(app)
    const body = { team: 'payments', until: inMinutes(60) }
    const [first, again] = [await plan(tenant, body, { 'Idempotency-Key': 'm-1' }), await plan(tenant, body, { 'Idempotency-Key': 'm-1' })]
    const window = await first.json()
    expect(await again.json()).toEqual(window)
    expect(await (await app.request('/v1/maintenance', { key: other.readonlyKey })).json()).toEqual([])
    expect((await app.request(`/v1/maintenance/${window.id}`, { key: other.readonlyKey, method: 'DELETE' })).status).toBe(404)
    const viewer = await (await app.request('/v1/api-keys', { key: tenant.readonlyKey, body: { key_type: 'viewer' } })).json()
    expect((await app.request('/v1/maintenance', { key: viewer.key })).status).toBe(200)
    expect((await app.request('/v1/maintenance', { key: viewer.key, body })).status).toBe(403)
  })

  test('has its incidents diagnosed and nobody told, not of their end either; what began outside is told', async () => {
    const { tenant, told } = await start()
    await plan(tenant, { service: 'checkout', until: inMinutes(60) })
    const muted = await ask(tenant)
    expect(muted).toMatchObject({ status: 'diagnosed', hypothesis: expect.any(String) })
    expect((await app.request(`/v1/incidents/${muted.id}/resolve`, { key: tenant.readonlyKey, method: 'PUT' })).status).toBe(204)
    await app.settle()
    expect(await told()).toBe(0)
    await ask(tenant, { triggered_at: inMinutes(-5) })
    expect(await told()).toBe(1)
    const [{ id }] = await (await app.request('/v1/maintenance', { key: tenant.readonlyKey })).json()
    await app.request(`/v1/maintenance/${id}`, { key: tenant.readonlyKey, method: 'DELETE' })
    await ask(tenant)
    expect(await told()).toBe(2)
  })

  test('that overlaps another, of the service’s team, leaves nobody told until both have ended', async () => {
    const { tenant, told } = await start()
    await assign(tenant, 'checkout', { team: 'payments' })
    const windows = [{ service: 'checkout' }, { team: 'Payments' }].map((of) => plan(tenant, { ...of, until: inMinutes(60) }))
    for (const [place, planned] of (await Promise.all(windows)).entries()) {
      await ask(tenant)
      expect([place, await told()]).toEqual([place, 0])
      const { id } = await planned.json()
      await app.request(`/v1/maintenance/${id}`, { key: tenant.readonlyKey, method: 'DELETE' })
    }
    await ask(tenant)
    expect(await told()).toBe(1)
  })

  test('is told by its incidents, to programs and to assistants', async () => {
    const { tenant } = await start()
    expect((await ask(tenant)).maintenance).toBeNull()
    const window = await (await plan(tenant, { service: 'checkout', until: inMinutes(60), reason: 'upgrade of @postgres' })).json()
    const { id, maintenance } = await ask(tenant)
    expect(maintenance).toEqual(window)
    await app.request(`/v1/maintenance/${window.id}`, { key: tenant.readonlyKey, method: 'DELETE' })
    const { data } = await callTool(app, tenant.readonlyKey, 'get_incident', { id })
    expect(data).toMatchObject({ maintenance: { until: expect.any(String), reason: 'upgrade of at postgres' } })
  })

  test('has no part in what begins after it, soon as that may be', async () => {
    const { tenant } = await start()
    const pager = await connectPager(app, tenant)
    await plan(tenant, { service: 'checkout', from: inMinutes(-10), until: inMinutes(-0.5) })
    const [within, after, later] = [newRef(), newRef(), newRef()]
    for (const [ref, minutes] of [
      [within, 0.75],
      [after, 0.25],
      [later, 0.1],
    ] as const) {
      await deliver(app, pager, makeDelivery({ ref, at: new Date(Date.now() - 60_000 * minutes) }))
      await app.settle()
    }
    expect(await Promise.all([within, after, later].map(async (ref) => (await listNotes(ref)).length))).toEqual([0, 1, 0])
  })

  test('mutes a team’s services, and the pager’s notes, too', async () => {
    const { tenant, told } = await start()
    const pager = await connectPager(app, tenant)
    await plan(tenant, { team: 'Payments', until: inMinutes(60) })
    await ask(tenant)
    expect(await told()).toBe(1)
    await assign(tenant, 'checkout', { team: 'payments' })
    const ref = newRef()
    await deliver(app, pager, makeDelivery({ ref }))
    await app.settle()
    expect(await told()).toBe(1)
    expect(await listNotes(ref)).toEqual([])
  })
})

describe('whose a service is', () => {
  test('is said, shown, changed and taken back', async () => {
    const { tenant } = await start()
    const url = 'https://wiki.example.com/teams/payments'
    expect(await (await assign(tenant, 'Check-Out', { team: ' Payments ', owner_url: url })).json()).toMatchObject({
      name: 'checkout',
      team: 'Payments',
      owner_url: url,
    })
    const list = async () => await (await app.request('/v1/services', { key: tenant.readonlyKey })).json()
    expect(await list()).toMatchObject([{ team: 'Payments', owner_url: url }])
    await assign(tenant, 'checkout', { owner_url: null })
    expect(await list()).toMatchObject([{ team: 'Payments', owner_url: null }])
    await assign(tenant, 'checkout', {})
    const audit = await (await app.request('/v1/audit', { key: tenant.readonlyKey })).json()
    const assigned = audit.filter(({ action }: Record<string, string>) => action === 'service.assigned')
    expect(assigned.map(({ fields }: Record<string, unknown>) => fields)).toEqual([['owner_url'], ['team', 'owner_url']])
  })

  test.each([
    ['checkout', { team: '' }, 400],
    ['checkout', { team: 7 }, 400],
    ['checkout', { owner_url: 'javascript:alert(1)' }, 400],
    ['checkout', { owner_url: 'wiki' }, 400],
    ['nobody-knows-it', { team: 'x' }, 404],
  ])('of %s, %j is refused', async (service, body, status) => {
    const { tenant } = await start()
    expect((await assign(tenant, service, body)).status).toBe(status)
  })

  test('decides who is told', async () => {
    const { tenant, told } = await start({ teams: ['PAYMENTS', 'search'] })
    await ask(tenant)
    expect(await told()).toBe(0)
    await assign(tenant, 'checkout', { team: 'payments' })
    await ask(tenant)
    expect(await told()).toBe(1)
    await assign(tenant, 'checkout', { team: 'storefront' })
    await ask(tenant)
    expect(await told()).toBe(1)
  })
})
