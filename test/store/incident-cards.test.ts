import { expect, test } from 'vitest'
import { listIncidentCards } from '../../src/store/incident-cards.ts'
import { createTestTenant, makeEvent, startApp } from '../support/app.ts'
import { connectPager, deliver, makeDelivery } from '../support/pagerduty.ts'

const app = startApp()

test('a card has what its answer blames, is found by a part of its title, and is its tenant’s alone', async () => {
  const [tenant, other] = [await createTestTenant(app), await createTestTenant(app)]
  const now = Date.now()
  const at = (seconds: number) => new Date(now - 1_000 * seconds).toISOString()
  const failure = (seconds: number) =>
    makeEvent({
      vendor: 'pino',
      event_type: 'dependency_failure',
      entity: 'heap',
      new_value: 'out of memory',
      sha: undefined,
      timestamp: at(seconds),
    })
  const deploy = makeEvent({ sha: 'deadbeef', new_value: 'succeeded', actor: 'deploy-bot', timestamp: at(300) })
  await app.request('/v1/events/batch', { key: tenant.ingestKey, body: [deploy, ...[200, 180, 160, 140].map(failure)] })
  const pager = await connectPager(app, tenant)
  await deliver(app, pager, makeDelivery({ service: 'checkout', at: new Date(now - 120_000), data: { title: 'Checkout is slow' } }))
  const late = makeDelivery({ service: 'nightly', at: new Date(now - 120_000), data: { title: 'Report is late' } })
  await deliver(app, await connectPager(app, other), late)
  await app.settle()

  const list = (query = {}) => listIncidentCards(app.deps.db, tenant.tenantId, { since: at(3_600), ...query })
  expect(await list()).toHaveLength(1)
  expect(await list({ textLike: 'SLOW' })).toMatchObject([
    {
      title: 'Checkout is slow',
      isAbstained: false,
      undoneAt: null,
      cause: { event_type: 'deploy', service: 'checkout', actor: 'deploy-bot' },
    },
  ])
  for (const query of [{ textLike: 'night' }, { verdict: 'confirmed' }]) expect(await list(query)).toEqual([])
  expect(await list({ verdict: null })).toHaveLength(1)
  expect(await listIncidentCards(app.deps.db, other.tenantId, { since: at(3_600) })).toMatchObject([
    { title: 'Report is late', isAbstained: true, cause: undefined },
  ])
})
