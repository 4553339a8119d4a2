import { execFile } from 'node:child_process'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createTestTenant, makeEvent, type TestTenant } from '../support/app.ts'
import { serveSite, startSite } from '../support/site.ts'

const site = startSite()
let url: string
let stop: () => void
let tenant: TestTenant

beforeAll(async () => {
  ;({ url, stop } = await serveSite(site))
  tenant = await createTestTenant(site.app)
})
afterAll(() => stop())

type Ended = { readonly code: number; readonly out: string; readonly err: string }

function run(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Ended> {
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      ['src/commands/noctuary.ts', ...args],
      { env: { PATH: process.env['PATH'], NO_COLOR: '1', NOCTUARY_URL: url, ...env } },
      (error, out, err) => resolve({ code: error ? Number(error.code) : 0, out: out.trim(), err: err.trim() }),
    )
  })
}

const sending = () => ({ NOCTUARY_KEY: tenant.ingestKey })
const reading = () => ({ NOCTUARY_KEY: tenant.readonlyKey })

test('a deploy is noted, tailed and blamed, each by one command', async () => {
  const deploy = ['deploy', '--service', 'checkout', '--sha', 'a4f2c19', '--previous-sha', 'f8b3e22', '--by', 'jane']
  expect(await run(deploy, sending())).toEqual({ code: 0, out: 'Noted: checkout at a4f2c19', err: '' })
  const hostile = makeEvent({
    service_name: 'search',
    entity: 'search',
    event_type: 'restart',
    new_value: '\u001b[31mred\u202e\u009b2J\u3164”  by root',
  })
  await site.app.request('/v1/events', { key: tenant.ingestKey, body: hostile })
  const { id } = await (await site.app.request('/v1/incidents', { key: tenant.readonlyKey, body: { service: 'checkout' } })).json()
  await site.app.settle()
  const [tailed, asJson, shown] = await Promise.all([
    run(['events', 'tail', '--once'], reading()),
    run(['events', 'tail', '--once', '--json', '--service', 'checkout', '--types', 'deploy'], reading()),
    run(['incident', id], reading()),
  ])
  expect(tailed).toMatchObject({
    code: 0,
    out: expect.stringMatching(/checkout {2}deploy {2}f8b3e22 → a4f2c19 {2}by jane[\s\S]*search {2}restart/),
  })
  expect(tailed.out.replaceAll('\n', '')).not.toMatch(/\p{C}/u)
  expect(tailed.out).toContain(`"[31mred 2J '  by root"`)
  const hostileJson = await run(['events', 'tail', '--once', '--json', '--service', 'search'], reading())
  expect(hostileJson.out).not.toMatch(/[\p{C}\p{Zl}\p{Zp}]/u)
  expect(JSON.parse(hostileJson.out)).toMatchObject({ new_value: hostile['new_value'] })
  expect(asJson.out.split('\n').map((line) => JSON.parse(line))).toMatchObject([
    { service: 'checkout', new_value: 'a4f2c19', actor: 'jane' },
  ])
  expect(shown).toMatchObject({ code: 0, out: expect.stringMatching(/%: .*a4f2c19[\s\S]*Do: /) })
})

test('all that began is tailed, however much that is', async () => {
  const other = await createTestTenant(site.app)
  const events = Array.from({ length: 130 }, (_, index) => makeEvent({ entity: `checkout-${index}`, new_value: `v${index}` }))
  await site.app.request('/v1/events/batch', { key: other.ingestKey, body: events })
  const { out } = await run(['events', 'tail', '--once', '--json'], { NOCTUARY_KEY: other.readonlyKey })
  expect(new Set(out.split('\n').map((line) => JSON.parse(line).entity)).size).toBe(130)
})

test.each(['pagerduty-events'])('the sample of %s is tried, and nothing is stored', async (door) => {
  const other = await createTestTenant(site.app)
  const tried = await run(['test', door], { NOCTUARY_KEY: other.ingestKey })
  expect(tried).toMatchObject({ code: 0, out: expect.stringMatching(/^(?:event|alert): /) })
  expect(await (await site.app.request('/v1/services', { key: other.readonlyKey })).json()).toEqual([])
})

test('exit codes tell a refusal from wrong usage and from silence', async () => {
  const gone = '00000000-0000-4000-8000-000000000000'
  const proxy = await serveSite({ ...site, send: async () => new Response('\u001b[2J\u009b31mgone\nfor good', { status: 502 }) })
  const cases: readonly (readonly [readonly string[], Readonly<Record<string, string>>, number, RegExp])[] = [
    [['incident', gone], reading(), 1, /^404: no such incident$/],
    [['deploy', '--service', 'x', '--sha', 'y', '--status', 'maybe'], sending(), 1, /^400: status must be/],
    [['deploy', '--service', 'x'], sending(), 2, /--sha/],
    [['deploy', '--service', 'x', '--sha', 'y', '--enviroment', 'staging'], sending(), 2, /^there is no option --enviroment/],
    [['deploy', '--service', 'x', '--sha', 'y', 'staging'], sending(), 2, /^"staging" is one too many/],
    [['incident', gone], {}, 2, /NOCTUARY_KEY/],
    [['incident', gone], { NOCTUARY_KEY: 'noc_ro_one\nnoc_ro_two' }, 2, /^NOCTUARY_KEY is no key: it is more than one word$/],
    [['incident', gone], { ...reading(), NOCTUARY_URL: 'http://127.0.0.1:9' }, 3, /does not answer/],
    [['incident', gone], { ...reading(), NOCTUARY_URL: proxy.url }, 3, /^502: {2}\[2J 31mgone for good$/],
  ]
  const ended = await Promise.all(cases.map(([args, env]) => run(args, env)))
  proxy.stop()
  expect(ended.map(({ code, err }, place) => [code, cases[place]?.[3].test(err) ? 'as expected' : err])).toEqual(
    cases.map(([, , code]) => [code, 'as expected']),
  )
})
