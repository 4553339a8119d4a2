import { beforeAll, expect, test } from 'vitest'
import { foldSteps, type Step } from '../../src/dashboard/aftermath.ts'
import { toId } from '../../src/domain/ids.ts'
import { readAftermath } from '../../src/store/aftermath.ts'
import { createTestTenant, makeEvent, type TestTenant } from '../support/app.ts'
import { signIn, startSite, type Visitor } from '../support/site.ts'

const site = startSite()
const NOW = Date.now()
const ago = (seconds: number) => new Date(NOW - 1_000 * seconds).toISOString()

const DEPLOY = { event_type: 'deploy', vendor: 'argocd', service_name: 'payments', entity: 'payments', actor: 'deploy-bot' }
const GOOD = { ...DEPLOY, sha: '9b1f3d7e', new_value: 'sync:Succeeded' }
const TIMEOUT = { event_type: 'dependency_failure', vendor: 'log4j2', service_name: 'checkout', entity: 'payments', new_value: 'timed out' }

let tenant: TestTenant
let visitor: Visitor
let id: string

async function send(...events: (Record<string, unknown> & { readonly ago: number })[]): Promise<void> {
  const body = events.map(({ ago: seconds, ...event }) =>
    makeEvent({ old_value: undefined, actor: undefined, sha: undefined, ttl_seconds: 700_000, ...event, timestamp: ago(seconds) }),
  )
  expect((await site.app.request('/v1/events/batch', { key: tenant.ingestKey, body })).status).toBeLessThan(300)
}

async function readPage(): Promise<string> {
  const html = await (await visitor.get(`/incidents/${id}`)).text()
  return html
    .slice(0, html.indexOf('id="incident"'))
    .replaceAll(/<(?!\/?ol)[^>]*>/g, ' ')
    .replaceAll(/\s+/g, ' ')
    .replaceAll(' ,', ',')
}

beforeAll(async () => {
  tenant = await createTestTenant(site.app)
  await send({ ...GOOD, ago: 500_000 }, { ...DEPLOY, sha: '1a220982', old_value: '9b1f3d7e', new_value: 'sync:Succeeded', ago: 1_100 })
  await send(...[860, 800, 760].map((seconds) => ({ ...TIMEOUT, ago: seconds })))
  const asked = { service: 'checkout', title: 'errors', triggered_at: ago(700), create: true }
  id = (await (await site.app.request('/v1/incidents', { key: tenant.readonlyKey, body: asked })).json()).id
  visitor = await signIn(site, tenant.readonlyKey)
})

test('before anything followed, what to do is to roll back, and only the alert is told', async () => {
  const page = await readPage()
  expect(page).toContain('Roll payments back to 9b1f3d7e')
  expect(page).toMatch(/Alert on checkout [^.]*<\/ol>/)
  expect(page).not.toContain('undone')
})

test('a rollback that repeats an earlier report, new failures and recovery are told with their times', async () => {
  await send(...[650, 500].map((seconds) => ({ ...TIMEOUT, ago: seconds })))
  await send({ ...TIMEOUT, service_name: 'fulfilment', new_value: 'socket hang up', ago: 660 })
  await send({ ...TIMEOUT, service_name: 'elsewhere', entity: 'other', ago: 660 })
  await send({ ...GOOD, ago: 400 }, { ...DEPLOY, new_value: 'health:Healthy', ago: 330 })
  const page = await readPage()
  const steps = ['+ 40 s Calls from fulfilment to payments are cut off', '+ 3 min 20 s No failing call reported since']
  for (const said of [...steps, '+ 5 min The blamed change was undone: 9b1f3d7e again, by deploy-bot', 'payments is reported healthy'])
    expect(page).toContain(said)
  expect(page).toMatch(/Do now (?:Watch it until (?:\d+ \w+ )?[\d:]+: deploy-bot undid it|Deploy-bot undid it) at/)
  expect(page).toContain('Active Recovering')
  expect(page).not.toContain('elsewhere')
})

test('a deploy of a revision that nobody told of is the rollback where it brings the last replica set back', async () => {
  const other = await createTestTenant(site.app)
  const scaled = (entity: string, from: number, to: number, seconds: number) => ({
    ...{ event_type: 'scale_event', vendor: 'kubernetes', service_name: 'payments', entity, old_value: `${from}`, new_value: `${to}` },
    timestamp: ago(seconds),
  })
  const deploy = (sha: string, seconds: number) => ({ ...DEPLOY, sha, new_value: 'sync:Succeeded', timestamp: ago(seconds) })
  const failure = { ...TIMEOUT, timestamp: ago(800) }
  const begun = [deploy('1a220982', 1_100), scaled('payments-8h7z7f7c4', 0, 3, 1_095), scaled('payments-4r5b4s4l2', 3, 0, 1_090)]
  const undone = [deploy('77c01e4b', 400), scaled('payments-4r5b4s4l2', 0, 3, 395), scaled('payments-8h7z7f7c4', 3, 0, 390)]
  const post = async (events: readonly object[]) => {
    const body = events.map((event) =>
      makeEvent({ old_value: undefined, actor: undefined, sha: undefined, ttl_seconds: 700_000, ...event }),
    )
    await site.app.request('/v1/events/batch', { key: other.ingestKey, body })
  }
  await post([...begun, failure])
  const asked = { service: 'checkout', title: 'errors', triggered_at: ago(700), create: true }
  const incident = await (await site.app.request('/v1/incidents', { key: other.readonlyKey, body: asked })).json()
  await post(undone)
  const there = await signIn(site, other.readonlyKey)
  const read = async (at: string) => (await (await there.get(at)).text()).replaceAll(/<[^>]*>/g, ' ').replaceAll(/[\s\u00a0]+/g, ' ')
  const since = /Since the alert.*From the change/.exec(await read(`/incidents/${incident.id}`))?.[0]
  expect(since).toContain('The blamed change was undone: 77c01e4b again, by deploy-bot')
  expect(since).not.toContain('Scaling')
  expect((await read('/changes')).match(/(?:rollback|deploy) payments \w{8}/g)).toEqual([
    'rollback payments 77c01e4b',
    'deploy payments 1a220982',
  ])
})

test('another tenant reads nothing of it', async () => {
  const other = await createTestTenant(site.app)
  expect(await readAftermath(site.app.deps.db, toId(tenant.tenantId), toId(id))).not.toEqual([])
  expect(await readAftermath(site.app.deps.db, toId(other.tenantId), toId(id))).toEqual([])
})

const step = (kind: Step['kind'], minute: number): Step => ({ kind, at: new Date(60_000 * minute), text: `${minute}`, service: '' })

test.each([
  { name: 'few', kinds: ['alert', 'deploy', 'undone', 'well', 'well'], shown: ['0', '1', '2', '3', '4'] },
  {
    name: 'many',
    kinds: ['alert', 'deploy', 'restart', 'restart', 'undone', 'restart', 'well', 'well'],
    shown: ['0', '1', ['2', '3', '5'], '4', '6', '7'],
  },
  {
    name: 'many, not undone',
    kinds: ['alert', 'deploy', 'restart', 'restart', 'restart', 'well'],
    shown: ['0', '1', ['2', '3'], '4', '5'],
  },
] as const)('of $name steps the first, the undoing and the last are shown', ({ kinds, shown }) => {
  const folded = foldSteps(kinds.map(step))
  expect(folded.map((one) => ('text' in one ? one.text : one.map(({ text }) => text)))).toEqual(shown)
})
