import { createShopEvents, SHOP_AGENTS, SHOP_DURATION_MS, SHOP_SERVICE, type ShopEvent } from '../stack/shop.ts'
import { createTestTenant, type TestApp, type TestTenant } from './app.ts'
import { connectPager, deliver, makeDelivery, newRef } from './pagerduty.ts'

export type Shop = { readonly tenant: TestTenant; readonly agentId: string }

/** Moments of the story, in milliseconds since its beginning. */
const ALERT_MS = 430_000
const ROLLBACK_MS = 585_000

/** A tenant with the demo's shop in it: three agents, ten minutes of events that end now, an alert and what followed. */
export async function openShop(app: TestApp): Promise<Shop> {
  const tenant = await createTestTenant(app)
  const events = tellUntil(ROLLBACK_MS)
  let agentId = ''
  for (const agent of SHOP_AGENTS) {
    const made = await app.request('/v1/api-keys', { key: tenant.readonlyKey, body: { key_type: 'ingest', name: agent } })
    const { key }: { key: string } = await made.json()
    const registered = await app.request('/v1/agents/register', { key, body: { hostname: agent, version: '0.1.0' } })
    const { id }: { id: string } = await registered.json()
    if (agent === 'web-1') agentId = id
    const own = events
      .filter((one) => one.agent === agent)
      .map(({ event, atMs }) => ({ ...event, timestamp: new Date(atMs).toISOString() }))
    for (let from = 0; from < own.length; from += 500) await app.request('/v1/events/batch', { key, body: own.slice(from, from + 500) })
  }
  const pager = await connectPager(app, tenant)
  const at = new Date((events.at(-1)?.atMs ?? 0) - ROLLBACK_MS + ALERT_MS)
  await deliver(app, pager, makeDelivery({ ref: newRef(), service: 'checkout', at, data: { title: 'checkout: error rate above 5 %' } }))
  await app.settle()
  const asked = { service: SHOP_SERVICE, title: 'payments: p99 above 2 s', triggered_at: at.toISOString() }
  const response = await app.request('/v1/incidents', { key: tenant.readonlyKey, body: asked })
  const { id }: { id: string } = await response.json()
  await app.request(`/v1/incidents/${id}/resolve`, { key: tenant.readonlyKey, method: 'PUT' })
  await app.request(`/v1/incidents/${id}/feedback`, { key: tenant.readonlyKey, method: 'PUT', body: { confirmed: true } })
  return { tenant, agentId }
}

/** The shop's story up to one of its moments, which is now. */
function tellUntil(storyMs: number): readonly ShopEvent[] {
  const endsAt = Date.now() + SHOP_DURATION_MS - storyMs
  return createShopEvents(new Date(endsAt), createRandom(7)).filter(({ atMs }) => atMs <= endsAt - SHOP_DURATION_MS + storyMs)
}

function createRandom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state * 48_271) % 2_147_483_647
    return state / 2_147_483_647
  }
}
