import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'

const DEV = fileURLToPath(new URL('../stack/dev.ts', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'noctuary-'))
const state = join(folder, '.wrangler')
const devFile = join(state, 'dev.json')

type DevFile = Readonly<
  Record<'url' | 'tenant_id' | 'ingest_key' | 'readonly_key' | 'database_url' | 'database_endpoint' | 'redis_url' | 'sweep_cron', string>
>

type Running = { readonly child: ChildProcess; readonly output: () => string }

async function findFreePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  return typeof address === 'object' && address ? address.port : 0
}

function startDev(port: number): Running {
  const env = { ...process.env, PORT: String(port), NOCTUARY_DATA: 'memory', NOCTUARY_STATE: state, DATABASE_URL: '', REDIS_URL: '' }
  const child = spawn(process.execPath, [DEV], { env, stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += String(chunk)))
  return { child, output: () => output }
}

async function readDevFile({ child, output }: Running): Promise<DevFile> {
  for (let waitedMs = 0; waitedMs < 60_000; waitedMs += 100) {
    if (existsSync(devFile) && output().includes('npm run demo')) return JSON.parse(readFileSync(devFile, 'utf8'))
    if (child.exitCode !== null) break
    await sleep(100)
  }
  throw new Error(`npm run dev did not start: ${output()}`)
}

const answers = (url: string) =>
  fetch(url).then(
    () => true,
    () => false,
  )

let running: Running
let dev: DevFile
let port: number

beforeAll(async () => {
  port = await findFreePort()
  running = startDev(port)
  dev = await readDevFile(running)
}, 90_000)

afterAll(() => {
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

test('so does what the README says to paste', async () => {
  const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8')
  const block = /```sh\n(eval [^`]*`[^`]*`[^`]*)```/.exec(readme)?.[1] ?? ''
  const { stdout } = await promisify(execFile)('bash', ['-c', block], { cwd: folder })
  expect(stdout.match(/201 Created/g)).toHaveLength(2)
  const window = JSON.parse(stdout.slice(stdout.lastIndexOf('\n{"service"')))
  expect(window).toMatchObject({ service: 'checkout', deploy_events: [{ sha: 'a4f2c1', count: 2 }] })
})

test('the Worker in workerd stores, answers windows, takes gzip and repairs after the answer', async () => {
  const { gzipSync } = await import('node:zlib')
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

test('its cron sweeps', async () => {
  await sleep(1_000)
  const response = await fetch(`${dev.url}/cdn-cgi/handler/scheduled?cron=${encodeURIComponent(dev.sweep_cron)}`)
  expect(response.status).toBe(200)
  for (let tries = 0; !running.output().includes('"event":"sweep"') && tries < 50; tries += 1) await sleep(50)
  expect(running.output()).toMatch(/"event":"sweep","skipped":false,"deleted":1/)
})

test('a second one on the same port says so in one line', async () => {
  const second = startDev(port)
  const [code] = await once(second.child, 'exit')
  expect(code).toBe(1)
  expect(second.output()).toContain(`port ${port} is taken`)
  expect(second.output().trim().split('\n')).toHaveLength(1)
})

test('SIGTERM ends everything it started', async () => {
  running.child.kill('SIGTERM')
  await once(running.child, 'exit')
  expect(await Promise.all([answers(dev.url), answers(dev.database_endpoint), answers(dev.redis_url)])).toEqual([false, false, false])
  const { stdout } = await promisify(execFile)('ps', ['-eo', 'args'])
  expect(stdout.split('\n').filter((line) => line.includes(state))).toEqual([])
  expect(existsSync(devFile)).toBe(false)
})

async function command(redisUrl: string, args: readonly string[]): Promise<unknown> {
  const response = await fetch(redisUrl, { method: 'POST', headers: { Authorization: 'Bearer local' }, body: JSON.stringify(args) })
  return ((await response.json()) as { result: unknown }).result
}
