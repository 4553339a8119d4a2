import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, type TestContext, test } from 'vitest'
import { DOORS } from '../../src/domain/doors/index.ts'
import type { DoorType } from '../../src/domain/integration-type.ts'
import { createTestTenant, entriesOf, readWindowOf, type TestTenant } from '../support/app.ts'
import { serveSite, startSite } from '../support/site.ts'

const FOLDER = join(process.env['NOCTUARY_CLIENTS'] ?? '', 'node_modules')
const site = startSite()
let url: string
let stop: () => void

beforeAll(async () => {
  ;({ url, stop } = await serveSite(site))
})

afterAll(() => stop?.())

/** A package of the folder that NOCTUARY_CLIENTS names. Nothing is installed here: without it the test says so, and is skipped. */
async function load<Library>({ skip }: TestContext, name: string, entry: string): Promise<Library> {
  const path = join(FOLDER, name, entry)
  if (!existsSync(path)) skip(`${name} is missing: npm install it in a folder, and name the folder in NOCTUARY_CLIENTS`)
  // What a test uses of it is the library's own contract.
  return (await import(path)) as Library
}

async function connect(type: DoorType, config: object = {}): Promise<{ readonly tenant: TestTenant; readonly token: string }> {
  const tenant = await createTestTenant(site.app)
  const made = await site.app.request('/v1/integrations', { key: tenant.readonlyKey, body: { type, config } })
  const { token }: { token: string } = await made.json()
  return { tenant, token }
}

const changesOf = async (tenant: TestTenant, service: string) =>
  entriesOf(await readWindowOf(site.app, tenant, service)).map(({ event_type, vendor, entity, new_value, timestamp }) => ({
    event_type,
    vendor,
    entity,
    new_value,
    timestamp,
  }))

type Logger = { readonly emit: (record: object) => void }
type Logs = {
  readonly LoggerProvider: new (options: object) => { readonly getLogger: (name: string) => Logger; readonly shutdown: () => Promise<void> }
  readonly SimpleLogRecordProcessor: new (options: { readonly exporter: object }) => object
}
type Exporters = { readonly OTLPLogExporter: new (options: object) => object }
type Resources = { readonly resourceFromAttributes: (attributes: object) => object }

test('OpenTelemetry’s exporters, JSON and protobuf, zipped, bring the same events', async (context) => {
  const { LoggerProvider, SimpleLogRecordProcessor } = await load<Logs>(context, '@opentelemetry/sdk-logs', 'build/src/index.js')
  const { resourceFromAttributes } = await load<Resources>(context, '@opentelemetry/resources', 'build/src/index.js')
  const at = new Date(Date.now() - 60_000)
  const seen = []
  for (const kind of ['http', 'proto']) {
    const { OTLPLogExporter } = await load<Exporters>(context, `@opentelemetry/exporter-logs-otlp-${kind}`, 'build/src/index.js')
    const { tenant, token } = await connect('otlp')
    const exporter = new OTLPLogExporter({ url: `${url}/v1/logs`, headers: { Authorization: `Bearer ${token}` }, compression: 'gzip' })
    const resource = resourceFromAttributes({ 'service.name': 'checkout' })
    const provider = new LoggerProvider({ resource, processors: [new SimpleLogRecordProcessor({ exporter })] })
    const logger = provider.getLogger('shop')
    const flag = { 'feature_flag.key': 'express', 'feature_flag.result.variant': 'on', 'feature_flag.provider.name': 'flagd' }
    logger.emit({ timestamp: at, eventName: 'feature_flag.evaluation', attributes: flag })
    logger.emit({ timestamp: at, severityNumber: 17, body: 'connect ECONNREFUSED postgres:5432' })
    logger.emit({ timestamp: at, severityNumber: 9, body: 'order placed' })
    await provider.shutdown()
    await site.settle()
    seen.push(await changesOf(tenant, 'checkout'))
  }
  expect(seen[0]).toHaveLength(2)
  expect(seen[0]).toEqual(
    expect.arrayContaining([
      expect.objectContaining({
        event_type: 'flag_change',
        vendor: 'flagd',
        entity: 'express',
        new_value: 'on',
        timestamp: at.toISOString(),
      }),
      expect.objectContaining({ event_type: 'dependency_failure', new_value: 'connect ECONNREFUSED postgres:5432' }),
    ]),
  )
  expect(seen[1]).toEqual(seen[0])
})

type CloudEvents = {
  readonly CloudEvent: new (fields: object) => object
  readonly emitterFor: (transport: object, options: { readonly mode: string }) => (event: object) => Promise<unknown>
  readonly httpTransport: (url: string) => object
}

test.for(['binary', 'structured'])('CloudEvents’ own library, %s', async (mode, context) => {
  const { CloudEvent, emitterFor, httpTransport } = await load<CloudEvents>(context, 'cloudevents', 'dist/index.js')
  const { tenant, token } = await connect('cloudevents')
  const event = new CloudEvent({
    source: '/ci',
    type: 'dev.cdevents.service.deployed.0.3.0',
    data: {
      context: { specversion: '0.5.1', source: '/ci', type: 'dev.cdevents.service.deployed.0.3.0', timestamp: new Date().toISOString() },
      subject: { id: 'checkout', content: { environment: { id: 'production' }, artifactId: 'pkg:oci/checkout@sha256%3Aa4f2c1' } },
    },
  })
  await emitterFor(httpTransport(`${url}/in/cloudevents/${token}`), { mode })(event)
  await site.settle()
  expect(await changesOf(tenant, 'checkout')).toMatchObject([{ event_type: 'deploy', entity: 'checkout' }])
})

type Octokit = { readonly sign: (secret: string, body: string) => Promise<string> }

test('what GitHub’s library signs is genuine, and nothing else', async (context) => {
  const { sign } = await load<Octokit>(context, '@octokit/webhooks-methods', 'dist-node/index.js')
  const secret = 'a-secret-of-the-hubs'
  const { tenant, token } = await connect('github', { webhook_secret: secret })
  const body = JSON.stringify(DOORS.github.example.body)
  const send = async (signature: string) => {
    const headers = { ...DOORS.github.example.headers, 'Content-Type': 'application/json', 'X-Hub-Signature-256': signature }
    return (await fetch(`${url}/in/github/${token}`, { method: 'POST', headers, body })).status
  }
  expect(await send(await sign('another-secret', body))).toBe(401)
  expect(await send(await sign(secret, body))).toBe(202)
  await site.settle()
  expect(await changesOf(tenant, 'checkout')).toMatchObject([{ event_type: 'deploy', vendor: 'github' }])
})

/** Runs one module of Ansible's on this machine. */
async function runAnsible({ skip }: TestContext, module: string, args: object, ...options: readonly string[]): Promise<string> {
  const command = process.env['ANSIBLE'] ?? 'ansible'
  const all = ['localhost', '-i', 'localhost,', '-c', 'local', '-m', module, '-a', JSON.stringify(args), ...options]
  const run = await promisify(execFile)(command, all).catch((error: { readonly code?: unknown; readonly stdout?: string }) => {
    if (error.code === 'ENOENT') skip('ansible is missing: apt-get install ansible, or name it in ANSIBLE')
    if (/couldn't resolve module|was not found in configured module paths/.test(error.stdout ?? ''))
      skip(`${module} is missing: apt-get install ansible`)
    throw error
  })
  return run.stdout
}

test('a task of Ansible’s tells of a deploy', async (context) => {
  const { tenant, token } = await connect('deploy')
  const task = { url: `${url}/in/deploy`, method: 'POST', status_code: 202, headers: { Authorization: `Bearer ${token}` } }
  const body = { service: 'checkout', sha: 'a4f2c1d', by: 'ansible' }
  for (const body_format of ['json', 'form-urlencoded'])
    await runAnsible(context, 'ansible.builtin.uri', { ...task, body_format, body: { ...body, sha: `${body.sha}-${body_format}` } })
  await site.settle()
  expect(await changesOf(tenant, 'checkout')).toHaveLength(2)
})

test('Ansible’s own change events for PagerDuty, and its check mode', async (context) => {
  const { tenant, token } = await connect('pagerduty-events', { service: 'checkout' })
  const task = { integration_key: token, summary: 'Deployed a4f2c1d', source: 'ansible', url: `${url}/v2/change/enqueue` }
  expect(await runAnsible(context, 'community.general.pagerduty_change', task, '--check')).toContain('"changed": true')
  expect(await changesOf(tenant, 'checkout').catch(() => [])).toEqual([])
  await runAnsible(context, 'community.general.pagerduty_change', task)
  await site.settle()
  expect(await changesOf(tenant, 'checkout')).toMatchObject([{ event_type: 'deploy', new_value: 'Deployed a4f2c1d' }])
})
