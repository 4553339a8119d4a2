import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type AccessTeam, AUDIENCE, startAccessTeam } from '../support/access.ts'
import { readApiDocument } from '../support/api-document.ts'
import {
  alertAndFindNote,
  type DevFile,
  type DevServer,
  findFreePort,
  isServed,
  listProcesses,
  startDevServer,
  waitFor,
} from '../support/dev-server.ts'
import { sendRaw } from '../support/raw-request.ts'
import { getResponseCheck } from '../support/response-check.ts'

const folder = mkdtempSync(join(tmpdir(), 'noctuary-'))
const state = join(folder, '.wrangler')
const devFile = join(state, 'dev.json')

let running: DevServer
let dev: DevFile
let port: number
let team: AccessTeam

beforeAll(async () => {
  team = await startAccessTeam()
  port = await findFreePort()
  running = startDevServer(port, state, { NOCTUARY_DATA: '', ACCESS_TEAM: team.origin, ACCESS_AUD: AUDIENCE })
  dev = await running.ready()
})

afterAll(async () => {
  await team.stop()
  running.child.kill('SIGKILL')
  rmSync(folder, { recursive: true, force: true })
})

test('what it printed works when pasted: an agent, an event and its service', async () => {
  const lines = running
    .output()
    .split('\n')
    .filter((line) => line.trim().startsWith('curl -'))
  expect(lines).toHaveLength(3)
  const outputs: string[] = []
  for (const line of lines) outputs.push((await promisify(execFile)('sh', ['-c', line])).stdout)
  expect(outputs).toEqual([
    expect.stringContaining('201 Created'),
    expect.stringContaining('201 Created'),
    expect.stringContaining('"name":"checkout"'),
  ])
  expect(outputs[2]).toContain(dev.tenant_id)
})

test('its file with keys is for its owner alone', () => {
  expect((statSync(devFile).mode & 0o777).toString(8)).toBe('600')
})

test('so does what the README says to paste', async () => {
  const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8')
  const block = /```sh\n(eval [^`]*`[^`]*`[^`]*)```/.exec(readme)?.[1] ?? ''
  const { stdout } = await promisify(execFile)('bash', ['-c', block], { cwd: folder })
  expect(stdout.match(/201 Created/g)).toHaveLength(2)
  const window = JSON.parse(stdout.slice(stdout.lastIndexOf('\n{"service"')))
  expect(window).toMatchObject({ service: 'checkout', deploy_events: [{ sha: 'a4f2c1', count: 2 }] })
})

test('the Worker in workerd stores, answers windows, takes gzip and repairs after the answer', async () => {
  const event = {
    service_name: 'cart',
    vendor: 'pino',
    entity: 'cart',
    event_type: 'restart',
    new_value: 'panic: x',
    confidence: 0.9,
    ttl_seconds: 1,
  }
  const sent = await fetch(`${dev.url}/v1/events/batch`, {
    method: 'POST',
    headers: { Authorization: `Bearer ${dev.ingest_key}`, 'Content-Type': 'application/x-ndjson', 'Content-Encoding': 'gzip' },
    body: gzipSync([event, { ...event, ttl_seconds: 900 }].map((one) => JSON.stringify(one)).join('\n')),
  })
  expect(await sent.json()).toMatchObject({ accepted: 2, rejected: 0 })

  const headers = { Authorization: `Bearer ${dev.readonly_key}` }
  const services = (await (await fetch(`${dev.url}/v1/services`, { headers })).json()) as { id: string; name: string }[]
  const id = services.find(({ name }) => name === 'cart')?.id
  const read = async () => (await fetch(`${dev.url}/v1/services/${id}/context`, { headers })).json()
  expect(await read()).toMatchObject({ service: 'cart', restart_events: [{ count: 2 }] })

  await command(dev.redis_url, ['FLUSHALL'])
  expect(await read()).toMatchObject({ restart_events: [{ count: 2 }] })
  for (let tries = 0; (await command(dev.redis_url, ['DBSIZE'])) === 0 && tries < 50; tries += 1) await sleep(50)
  expect(await command(dev.redis_url, ['DBSIZE'])).toBe(1)
})

/** The most memory that any process of the running Worker has held, in MB. */
async function readPeakMemory(): Promise<number> {
  const { stdout } = await promisify(execFile)('ps', ['-e', '-o', 'pid=,comm='])
  const pids = stdout.split('\n').flatMap((line) => (line.includes('workerd') ? [line.trim().split(' ', 1).join('')] : []))
  const peaks = pids.map((pid) => {
    const [environment, status] = ['environ', 'status'].map((name) => readFileSync(`/proc/${pid}/${name}`, 'utf8'))
    return environment?.includes(state) ? Number(/VmHWM:\s*(\d+)/.exec(status ?? '')?.[1] ?? 0) / 1_024 : 0
  })
  return Math.max(...peaks)
}

test('gzip that inflates to 200 MB costs the Worker next to nothing, and several members are fine', async () => {
  const zip = (parts: readonly Buffer[]) =>
    fetch(`${dev.url}/v1/events`, {
      method: 'POST',
      headers: { Authorization: `Bearer ${dev.ingest_key}`, 'Content-Encoding': 'gzip' },
      body: Buffer.concat([...parts]),
    })
  const event = { service_name: 'zip', vendor: 'v', entity: 'e', event_type: 'deploy', confidence: 1, ttl_seconds: 60 }
  const members = (JSON.stringify(event).match(/.{1,40}/g) ?? []).map((part) => gzipSync(part))
  const whole = gzipSync(JSON.stringify(event))
  const bodies: [string, Buffer[], number][] = [
    ['several members', members, 201],
    ['zeros after them', [...members, Buffer.alloc(5_000)], 201],
    ['a member cut off and filled up with zeros', [whole.subarray(0, -9), Buffer.alloc(9)], 400],
    ['something else after it', [whole, Buffer.from('junk')], 400],
    ['too many members', [...Array.from({ length: 64 }, () => gzipSync('')), whole], 400],
    ['a member too many for the limit', Array.from({ length: 9 }, () => gzipSync('x'.repeat(131_072))), 413],
  ]
  for (const [name, parts, status] of bodies) expect([name, (await zip(parts)).status]).toEqual([name, status])
  const before = await readPeakMemory()
  expect(before).toBeGreaterThan(10)
  expect((await zip([gzipSync(Buffer.alloc(200_000_000))])).status).toBe(413)
  expect((await readPeakMemory()) - before).toBeLessThan(60)
})

test('the dashboard signs in with the demo tenant’s key and shows its services', async () => {
  const form = {
    method: 'POST',
    redirect: 'manual',
    headers: { Origin: dev.url },
    body: new URLSearchParams({ key: dev.readonly_key }),
  } as const
  const signedIn = await fetch(`${dev.url}/signin`, form)
  expect([signedIn.status, signedIn.headers.get('location')]).toEqual([303, '/incidents'])
  const [cookie = ''] = (signedIn.headers.get('set-cookie') ?? '').split(';')
  const page = await fetch(`${dev.url}/services`, { headers: { Cookie: cookie } })
  expect([page.status, page.headers.get('content-security-policy')?.includes("'nonce-")]).toEqual([200, true])
  expect(await page.text()).toContain('<bdi>checkout</bdi>')
})

test('whom Cloudflare Access vouches for is let in as far as the tenant lists them', async () => {
  const send = (path: string, headers: Readonly<Record<string, string>>, form?: Readonly<Record<string, string>>) =>
    fetch(dev.url + path, {
      redirect: 'manual',
      headers: { Origin: dev.url, Accept: 'text/html', ...headers },
      ...(form && { method: 'POST', body: new URLSearchParams(form) }),
    })
  const statusFor = async (assertion: string) => (await send('/incidents', { 'Cf-Access-Jwt-Assertion': assertion })).status
  const email = 'jane@people.example'
  expect(await statusFor(await team.assert(email))).toBe(403)
  const entered = await send('/signin', {}, { key: dev.readonly_key })
  const [Cookie = ''] = (entered.headers.get('Set-Cookie') ?? '').split(';')
  expect((await send('/settings/people', { Cookie }, { people: email, role: 'viewer' })).status).toBe(303)
  expect(await statusFor(await team.assert(email))).toBe(200)
  const refused = [
    await team.assert(email, { aud: ['other'] }),
    await team.assert(email, { iss: 'https://other.cloudflareaccess.com' }),
    await team.assert(email, { exp: Math.floor(Date.now() / 1_000) - 1 }),
    await team.assert('eve@people.example'),
    (await team.assert(email)).replace(/[^.]{8}$/, 'AAAAAAAA'),
  ]
  for (const assertion of refused) expect(await statusFor(assertion)).toBe(403)
  expect((await send('/incidents', {})).status).toBe(303)
})

test('its cron sweeps', async () => {
  await sleep(1_000)
  const response = await fetch(`${dev.url}/cdn-cgi/handler/scheduled?cron=${encodeURIComponent(dev.sweep_cron)}`)
  expect(response.status).toBe(200)
  for (let tries = 0; !running.output().includes('"event":"sweep"') && tries < 50; tries += 1) await sleep(50)
  expect(running.output()).toMatch(/"event":"sweep","skipped":false,"deleted":1/)
})

test('a read that ends after its request was answered keeps nobody out', async () => {
  const body = Array.from({ length: 150 }, (_, place) =>
    JSON.stringify({ ...JSON.parse(EVENT), service_name: 'long', entity: `e${place}`, new_value: 'x'.repeat(1_000) }),
  ).join('\n')
  const headers = { Authorization: `Bearer ${dev.ingest_key}`, 'Content-Type': 'application/x-ndjson' }
  const agent = { ...headers, 'Content-Type': 'application/json' }
  await fetch(`${dev.url}/v1/agents/register`, { method: 'POST', headers: agent, body: '{"hostname":"web-1"}' })
  expect((await fetch(`${dev.url}/v1/events/batch`, { method: 'POST', headers, body })).status).toBe(200)
  const read = async (path: string) => {
    const response = await fetch(`${dev.url}${path}`, { headers: { Authorization: `Bearer ${dev.readonly_key}` } })
    await response.arrayBuffer()
    return response.status
  }
  // What finds no agent is answered beside its other read; a long answer leaves room for one read at a time.
  const missing = Array.from({ length: 12 }, () => read(`/v1/agents/${crypto.randomUUID()}`))
  expect(new Set(await Promise.all(missing))).toEqual(new Set([404]))
  expect(await read(`/v1/services/long/context?at=${new Date().toISOString()}`)).toBe(200)
  expect(await read('/v1/services')).toBe(200)
})

test('/docs/api is a page of our own files alone, under a strict policy', async () => {
  const page = await fetch(`${dev.url}/docs/api`)
  expect([page.status, page.headers.get('Content-Type')]).toEqual([200, 'text/html; charset=utf-8'])
  const policy = page.headers.get('Content-Security-Policy') ?? ''
  expect(policy).toMatch(/^default-src 'none'; script-src 'self';[^,]*$/)
  expect(policy.match(/'unsafe-[a-z]+'|https?:|\*/g)).toBeNull()
  const addresses = [...(await page.text()).matchAll(/(?:src|href)="([^"]*)"/g)].map(([, address = '']) => address)
  expect(addresses).toEqual(['data:,', '/docs/swagger-ui.css', '/openapi.json', '/docs/swagger-ui-bundle.js', '/docs/start.js'])
  for (const address of addresses.slice(1)) expect([address, (await fetch(`${dev.url}${address}`)).status]).toEqual([address, 200])
})

test('the API’s description is a file that any page may read', async () => {
  const response = await fetch(`${dev.url}/openapi.json`, { headers: { Accept: 'text/html,application/xhtml+xml' } })
  expect([response.status, response.headers.get('Content-Type'), response.headers.get('Access-Control-Allow-Origin')]).toEqual([
    200,
    'application/json',
    '*',
  ])
  expect(await response.json()).toEqual(readApiDocument())
})

test('the manual is served as pages without script, as Markdown and for assistants', async () => {
  const index = await fetch(`${dev.url}/docs`)
  expect([index.status, index.headers.get('Content-Type')]).toEqual([200, 'text/html; charset=utf-8'])
  const policy = index.headers.get('Content-Security-Policy') ?? ''
  expect(policy).toMatch(/^default-src 'none'; style-src 'self'; img-src 'self';[^,]*$/)
  expect(policy).not.toContain('script-src')
  const addresses = [...(await index.text()).matchAll(/(?:src|href)="(\/[^"]*)"/g)].map(([, address = '']) => address)
  expect(addresses).toContain('/docs/connect')
  for (const address of addresses) expect([address, (await fetch(`${dev.url}${address}`)).status]).toEqual([address, 200])

  const markdown = await fetch(`${dev.url}/docs/connect.md`)
  expect([markdown.status, markdown.headers.get('Content-Type')]).toEqual([200, 'text/markdown; charset=utf-8'])
  expect(await markdown.text()).toMatch(/^# Connect/)
  const forAssistants = await fetch(`${dev.url}/llms.txt`)
  expect([forAssistants.status, forAssistants.headers.get('Content-Type')]).toEqual([200, 'text/plain; charset=utf-8'])
  const pages = [...(await forAssistants.text()).matchAll(/\]\(([^)]+)\)/g)].map(([, address = '']) => address)
  expect(pages.length).toBeGreaterThan(10)
  for (const address of pages) expect([address, (await fetch(`${dev.url}${address}`)).status]).toEqual([address, 200])
})

test('what pages are made with is served beside the Worker, to be kept for ever', async () => {
  const page = await (await fetch(`${dev.url}/signin`)).text()
  const addresses = [...page.matchAll(/ (?:href|src)="(\/dashboard\/[^"]+)"/g)].map(([, address = '']) => address)
  expect(addresses).toHaveLength(3)
  for (const address of addresses) {
    const response = await fetch(`${dev.url}${address}`)
    expect([address, response.status, response.headers.get('Cache-Control')]).toEqual([address, 200, 'public, max-age=31536000, immutable'])
    expect((await response.text()).length).toBeGreaterThan(100)
  }
})

test('a signed alert is a diagnosed incident and a note at the stand-in, and nothing is left for the cron', async () => {
  await alertAndFindNote(dev, dev.pagerduty_url)
  await fetch(`${dev.url}/cdn-cgi/handler/scheduled?cron=${encodeURIComponent(dev.sweep_cron)}`)
  const health = (await (await fetch(`${dev.url}/health`, { headers: { Authorization: 'Bearer dev' } })).json()) as { backlog: unknown }
  expect(health.backlog).toMatchObject({ incident_work_due: 0, notes_given_up: 0 })
})

test.each(['/nothing', '/docs/nothing', '/_headers', '/v1/nothing'])('%s is no asset but a problem of the Worker', async (path) => {
  const response = await fetch(`${dev.url}${path}`)
  expect([response.status, response.headers.get('Content-Type')]).toEqual([404, 'application/problem+json'])
})

const TYPE = ['Content-Type', 'application/json']
const CHUNKED = ['Transfer-Encoding', 'chunked']
const EVENT = JSON.stringify({ service_name: 'cart', vendor: 'x', entity: 'cart', event_type: 'deploy', confidence: 1, ttl_seconds: 60 })
const INGEST = ['Authorization', 'Bearer INGEST']
const READ = ['Authorization', 'Bearer READ']

test.each<[string, string, readonly string[], string | Uint8Array | undefined, number]>([
  ['an event in chunks', 'POST /v1/events', [...INGEST, ...TYPE, ...CHUNKED], EVENT, 201],
  ['two different Authorization headers', 'GET /v1/agents', [...READ, ...INGEST], undefined, 401],
  ['twice the same Authorization header', 'GET /v1/agents', [...READ, ...READ], undefined, 401],
  ['two Content-Types', 'POST /v1/events', [...INGEST, ...TYPE, 'Content-Type', 'text/plain', ...CHUNKED], EVENT, 415],
  ['two Idempotency-Keys', 'POST /v1/events', [...INGEST, ...TYPE, 'Idempotency-Key', 'a', 'Idempotency-Key', 'b', ...CHUNKED], EVENT, 400],
  ['two X-Request-Ids', 'GET /v1/agents', [...READ, 'X-Request-Id', 'a', 'X-Request-Id', 'b'], undefined, 200],
  ['a header of bytes that are no text', 'GET /v1/agents', [...READ, 'X-Request-Id', '\xff\xfe'], undefined, 200],
  ['malformed UTF-8', 'POST /v1/events', [...INGEST, ...TYPE, ...CHUNKED], Buffer.from(EVENT.replace('"x"', '"\xff\xc3"'), 'latin1'), 201],
  ['malformed gzip', 'POST /v1/events', [...INGEST, ...TYPE, 'Content-Encoding', 'gzip', ...CHUNKED], 'no gzip', 400],
  ['gzip cut short', 'POST /v1/events', [...INGEST, ...TYPE, 'Content-Encoding', 'gzip', ...CHUNKED], gzipSync(EVENT).subarray(0, -9), 400],
  [
    'gzip twice over',
    'POST /v1/events',
    [...INGEST, ...TYPE, 'Content-Encoding', 'gzip', 'Content-Encoding', 'gzip', ...CHUNKED],
    EVENT,
    415,
  ],
  ['a zip bomb', 'POST /v1/events', [...INGEST, ...TYPE, 'Content-Encoding', 'gzip', ...CHUNKED], gzipSync('['.repeat(30_000_000)), 413],
  ['brackets 200,000 deep', 'POST /v1/events/batch', [...INGEST, ...TYPE, ...CHUNKED], '['.repeat(200_000), 400],
  ['1 MiB and a byte in chunks', 'POST /v1/events', [...INGEST, ...TYPE, ...CHUNKED], ' '.repeat(1_048_577), 413],
  ['no body', 'POST /v1/events', [...INGEST, ...TYPE], undefined, 400],
  ['a GET with a body', 'GET /v1/agents', [...READ, ...TYPE, ...CHUNKED], EVENT, 200],
  ['a NUL in the path', 'GET /v1/agents/%00', READ, undefined, 404],
  ['an encoded slash', 'GET /v1/agents%2fregister', READ, undefined, 404],
  ['two slashes', 'GET //v1//agents', READ, undefined, 404],
  ['a broken escape', 'GET /v1/agents/%zz%', READ, undefined, 404],
  ['a method of no route', 'PROPFIND /v1/agents', READ, undefined, 404],
  ['a path of 8,000 characters', `GET /v1/agents/${'x'.repeat(8_000)}`, READ, undefined, 404],
])('the Worker answers %s over a socket', async (_name, line, headers, body, status) => {
  const [method = '', path = ''] = line.split(' ')
  const filled = headers.map((text) => text.replace('INGEST', dev.ingest_key).replace('READ', dev.readonly_key))
  const response = await sendRaw(dev.url, { method, path, headers: filled, ...(body === undefined ? {} : { body }) })
  expect([response.status, await response.clone().text()]).toEqual([status, expect.any(String)])
  const check = getResponseCheck()
  await check(method, `${dev.url}${path}`, response)
})

test('a second one on the same port says so in one line', async () => {
  const second = startDevServer(port, state)
  const [code] = await once(second.child, 'exit')
  expect(code).toBe(1)
  expect(second.output()).toContain(`port ${port} is taken`)
  expect(second.output().trim().split('\n')).toHaveLength(1)
})

test('a second one in the folder says who holds it in one line, and changes nothing', async () => {
  const second = startDevServer(await findFreePort(), state, { NOCTUARY_DATA: '' })
  const [code] = await once(second.child, 'exit')
  expect([code, second.output()]).toEqual([1, expect.stringContaining(`is held by the one at ${dev.url} (process ${running.child.pid})`)])
  expect(second.output().trim().split('\n')).toHaveLength(1)
  expect(await isServed(dev.url)).toBe(true)
})

test('a request is logged once', async () => {
  await fetch(`${dev.url}/v1/agents`, { headers: { Authorization: `Bearer ${dev.readonly_key}`, 'X-Request-Id': 'logged-once' } })
  await waitFor(() => running.output().includes('"client_request_id":"logged-once"'))
  await sleep(100)
  expect(running.output().match(/logged-once/g)).toHaveLength(1)
  expect(running.output()).not.toContain('[wrangler:info]')
})

test('a demo plays through the doors and its answers cite the crashes; another one touches none of them', { timeout: 60_000 }, async () => {
  const demo = fileURLToPath(new URL('../stack/demo.ts', import.meta.url))
  const play = async () => {
    const env = { ...process.env, NOCTUARY_STATE: state, NO_COLOR: '1' }
    return (await promisify(execFile)(process.execPath, [demo, '--fast'], { env })).stdout
  }
  const headers = { Authorization: `Bearer ${dev.readonly_key}` }
  const read = async (path: string) => (await fetch(`${dev.url}${path}`, { headers })).json()
  type Answered = {
    readonly id: string
    readonly service: string
    readonly recommended_action: string
    readonly evidence: readonly object[]
  }
  const answersFor = async (...services: readonly string[]): Promise<Answered[]> => {
    const all: Answered[] = await read('/v1/incidents')
    // The tests before it asked of checkout, too.
    const own = services.map((service) => all.find((one) => one.service === service)?.id ?? '')
    // Incidents like it are those of today.
    return await Promise.all(own.map(async (id) => ({ ...(await read(`/v1/incidents/${id}`)), similar_incidents: null })))
  }
  expect(await play()).toContain('restart of payment-service')
  const first = await answersFor('checkout', 'fulfilment')
  expect(await play()).toContain('payment-service-eu')
  const second = await answersFor('checkout-eu', 'fulfilment-eu')
  for (const { service, recommended_action, evidence } of [...first, ...second]) {
    const region = service.endsWith('-eu') ? '-eu' : ''
    expect(recommended_action).toBe(`Roll back payment-service${region} to the previous revision`)
    expect(evidence).toContainEqual(expect.objectContaining({ event_type: 'restart', new_value: 'OOMKilled' }))
  }
  await fetch(`${dev.url}/cdn-cgi/handler/scheduled?cron=${encodeURIComponent(dev.sweep_cron)}`)
  expect(await answersFor('checkout', 'fulfilment')).toEqual(first)
})

test('SIGTERM ends everything it started', async () => {
  running.child.kill('SIGTERM')
  await once(running.child, 'exit')
  const ended = [dev.url, dev.database_endpoint, dev.redis_url, dev.pagerduty_url]
  expect(await Promise.all(ended.map(isServed))).toEqual([false, false, false, false])
  expect(await listProcesses(state)).toEqual([])
  expect(existsSync(devFile)).toBe(false)
})

async function command(redisUrl: string, args: readonly string[]): Promise<unknown> {
  const response = await fetch(redisUrl, { method: 'POST', headers: { Authorization: 'Bearer local' }, body: JSON.stringify(args) })
  return ((await response.json()) as { result: unknown }).result
}
