import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { parseSetup, toSetupValues } from '../../src/dashboard/connect/setup.ts'
import { DOORS } from '../../src/domain/doors/index.ts'
import { createTestTenant, type TestTenant } from '../support/app.ts'
import { serveSite, startSite } from '../support/site.ts'

const COMMAND = process.env['ALERTMANAGER'] ?? 'prometheus-alertmanager'
const TIMEOUT_MS = 30_000
const ROUTE = 'route: {receiver: noctuary, group_by: [alertname], group_wait: 100ms, group_interval: 1s, repeat_interval: 1h}'

const site = startSite()
const folders: string[] = []
const running: ChildProcess[] = []
let url: string
let stop: () => void

beforeAll(async () => {
  ;({ url, stop } = await serveSite(site))
})

afterAll(() => {
  for (const one of running) one.kill()
  for (const folder of folders) rmSync(folder, { recursive: true, maxRetries: 10 })
  stop?.()
})

async function until<T>(what: string, find: () => Promise<T | undefined>): Promise<T> {
  for (const endsAt = Date.now() + TIMEOUT_MS; Date.now() < endsAt; await sleep(100)) {
    const found = await find().catch(() => undefined)
    if (found !== undefined) return found
  }
  throw new Error(`${what}: not within ${TIMEOUT_MS / 1_000} s`)
}

/** An Alertmanager that is set as the page says, and its address. */
async function startAlertmanager(type: 'alertmanager' | 'pagerduty-events', token: string, port: number): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'noctuary-alertmanager-'))
  folders.push(folder)
  const values = toSetupValues(type, url, token)
  const [snippet] = parseSetup(DOORS[type].setup).flatMap((block) => (block.kind === 'snippet' ? [block] : []))
  const text = snippet?.parts.map((part) => ('text' in part ? part.text : values[part.kind])).join('')
  writeFileSync(join(folder, 'alertmanager.yml'), `${text}\n${ROUTE}\n`)
  const address = `127.0.0.1:${port}`
  const options = ['--config.file=alertmanager.yml', '--storage.path=data', `--web.listen-address=${address}`, '--cluster.listen-address=']
  const client = spawn(COMMAND, options, { cwd: folder, stdio: 'ignore' })
  running.push(client)
  const missing = new Promise<never>((_, reject) => {
    client.once('error', () =>
      reject(new Error(`${COMMAND} is missing: apt-get install prometheus-alertmanager, or name it in ALERTMANAGER`)),
    )
  })
  const isReady = async () => ((await fetch(`http://${address}/-/ready`)).ok ? true : undefined)
  await Promise.race([until('Alertmanager is ready', isReady), missing])
  return `http://${address}`
}

async function fire(alertmanager: string, labels: Readonly<Record<string, string>>, endsAt?: Date): Promise<void> {
  const alert = {
    labels,
    annotations: { summary: 'Checkout answers slowly' },
    startsAt: new Date().toISOString(),
    ...(endsAt && { endsAt }),
  }
  const headers = { 'Content-Type': 'application/json' }
  const response = await fetch(`${alertmanager}/api/v2/alerts`, { method: 'POST', headers, body: JSON.stringify([alert]) })
  expect(response.status).toBe(200)
}

type Incident = { readonly status: string; readonly service: string; readonly resolved_at: string | null }

async function findIncidents({ readonlyKey }: TestTenant, open: number, resolved: number): Promise<Incident[]> {
  return await until(`${open} open and ${resolved} resolved incidents`, async () => {
    const incidents: Incident[] = await (await site.app.request('/v1/incidents', { key: readonlyKey })).json()
    const isSo = incidents.filter(({ resolved_at }) => resolved_at === null).length === open && incidents.length === open + resolved
    return isSo ? incidents : undefined
  })
}

test.each([
  { type: 'alertmanager', config: {}, port: 29_093 },
  // Alertmanager's PagerDuty receiver names the service only in the text.
  { type: 'pagerduty-events', config: { service: 'checkout' }, port: 29_094 },
] as const)('Alertmanager by the door $type: fires, resolves and fires again, two incidents', async ({ type, config, port }) => {
  const tenant = await createTestTenant(site.app)
  const made = await site.app.request('/v1/integrations', { key: tenant.readonlyKey, body: { type, config } })
  const { token }: { token: string } = await made.json()
  const alertmanager = await startAlertmanager(type, token, port)
  const labels = { alertname: 'SlowCheckout', service: 'checkout', severity: 'critical' }
  await fire(alertmanager, labels)
  await findIncidents(tenant, 1, 0)
  await fire(alertmanager, labels, new Date())
  await findIncidents(tenant, 0, 1)
  await fire(alertmanager, labels)
  const incidents = await findIncidents(tenant, 1, 1)
  expect(new Set(incidents.map(({ service }) => service))).toEqual(new Set(['checkout']))
  await site.settle()
})
