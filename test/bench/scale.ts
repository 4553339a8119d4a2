import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import pg from 'pg'
import { migrate } from '../../src/commands/migrations.ts'
import { readConfig } from '../../src/config.ts'
import { createDeps, type Deps } from '../../src/deps.ts'
import { field } from '../../src/domain/json.ts'
import { countReceived } from '../../src/store/agents.ts'
import { OPERATOR } from '../../src/store/audit.ts'
import { createApiKey } from '../../src/usecases/create-api-key.ts'
import { createTenant } from '../../src/usecases/create-tenant.ts'
import { runSweep } from '../../src/usecases/run-sweep.ts'
import { spawnStack } from '../stack/spawn-stack.ts'
import { toBindings } from '../stack/stack.ts'
import { fillEvents, fillTenants } from './scale-fill.ts'
import { createProbe, type Probe, type Reading, TIMES } from './scale-probe.ts'
import { toLines } from './table.ts'
import { UsageError } from './usage-error.ts'
import { buildBundle, prepareBundles } from './workerd.ts'

const HELP = `npm run bench:scale -- [options]

Fills a database of its own on the server that DATABASE_URL names with live events of 200 tenants and 40,000 services, and measures at
each size what every route takes from outside, what its statements read of Postgres, ingest, the sweep and a diagnosis. REDIS_URL names
a Redis; its windows are rebuilt as they are read. A million events take half a minute and 0.7 GB.

  --millions 1,3      the sizes (default 1,3; 10 takes ten minutes more)
  --keep              leaves the database there, as noctuary_scale_…
  --of NAME           measures a database that was kept, as large as it is, and leaves it there
  --only TEXT         of routes and pages, those whose name or path holds it
  --json              one JSON object on stdout instead of a table
`

const SWEPT = 20_000
const MAX_TRIES = 5

type Size = { readonly events: number; readonly readings: readonly Reading[] }

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      millions: { type: 'string', default: '1,3' },
      keep: { type: 'boolean', default: false },
      of: { type: 'string' },
      only: { type: 'string', default: '' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return console.log(HELP)
  const [server, redisUrl] = [process.env['DATABASE_URL'], process.env['REDIS_URL']]
  if (!server || !redisUrl) throw new UsageError('DATABASE_URL and REDIS_URL name a real Postgres and a real Redis')
  const sizes = values.millions.split(',').map((text) => Number(text) * 1_000_000)
  if (sizes.some((events, place) => !(events > (sizes[place - 1] ?? 0)))) throw new UsageError('--millions takes growing numbers: 1,3,10')

  const worker = await loadWorker()
  const print = console.log
  // What the Worker logs.
  console.log = () => {}
  const name = values.of ?? `noctuary_scale_${process.pid}`
  const admin = new pg.Client({ connectionString: server })
  await admin.connect()
  await admin.query('SET statement_timeout = 0')
  if (values.of === undefined) await admin.query(`CREATE DATABASE ${name}`)
  try {
    const databaseUrl = Object.assign(new URL(server), { pathname: `/${name}` }).href
    const measured = await measureSizes(worker, databaseUrl, redisUrl, values.of === undefined ? sizes : [], values.only)
    print(values.json ? JSON.stringify(measured) : format(measured))
    if (measured.some(({ readings }) => readings.some(({ failure }) => failure))) process.exitCode = 1
  } finally {
    if (!values.keep && values.of === undefined) await admin.query(`DROP DATABASE ${name} WITH (FORCE)`)
    await admin.end()
  }
}

const report = (line: string) => void process.stderr.write(`bench: ${line}\n`)

/** Measures at each of the sizes or, of none, what is there. */
async function measureSizes(
  worker: Worker,
  databaseUrl: string,
  redisUrl: string,
  sizes: readonly number[],
  only: string,
): Promise<Size[]> {
  const client = new pg.Client({ connectionString: databaseUrl })
  await client.connect()
  let stack: Awaited<ReturnType<typeof spawnStack>> | undefined
  try {
    await migrate(client)
    await client.query(`SET statement_timeout = 0; SET jit = off; SET maintenance_work_mem = '512MB'; SET synchronous_commit = off`)
    stack = await spawnStack({ databaseUrl, redisUrl })
    const probe = createProbe(client)
    const bindings = { ...toBindings(stack), SESSION_SECRET: randomUUID() }
    const deps: Deps = { ...createDeps(readConfig(bindings)), log: () => {} }
    const ask = toAsk(worker, bindings, probe)
    if (sizes.length === 0) {
      const { rows } = await client.query(
        'SELECT tenant_id, agent_id, (SELECT count(*) FROM context_events) AS events FROM scale_agents WHERE place = 0',
      )
      const { tenant_id, agent_id, events } = rows[0]
      const [ingest, readonly] = [
        await createApiKey(deps, tenant_id, 'ingest', null, OPERATOR),
        await createApiKey(deps, tenant_id, 'readonly', null, OPERATOR),
      ]
      await (await ask('/v1/agents/register', ingest.key, { hostname: 'again' })).json()
      const readings = await measure({
        deps,
        client,
        probe,
        ask,
        only,
        agentId: agent_id,
        ingestKey: ingest.key,
        readonlyKey: readonly.key,
      })
      return [{ events: Number(events), readings }]
    }
    const tenant = await createTenant(deps, `scale ${randomUUID()}`)
    const agent = await (await ask('/v1/agents/register', tenant.ingestKey, { hostname: 'busy' })).json()
    await fillTenants(client, { tenantId: tenant.tenantId, agentId: agent.id })
    const measured: Size[] = []
    for (const [place, events] of sizes.entries()) {
      report(`filling up to ${events.toLocaleString('en')}`)
      await fillEvents(client, sizes[place - 1] ?? 0, events, report)
      report('measuring')
      const readings = await measure({ deps, client, probe, ask, only, agentId: agent.id, ...tenant })
      measured.push({ events, readings })
      report(format(measured))
    }
    return measured
  } finally {
    await stack?.stop()
    await client.end()
  }
}

type Ask = {
  (path: string, key: string, body?: unknown): Promise<Response>
  /** A page, as whoever signed in with a key gets it. */
  readonly page: (path: string, key: string) => Promise<Response>
}

type Worker = { readonly fetch: (request: Request, bindings: object, context: object) => Promise<Response> }

/** The Worker as it is deployed, pages and all. */
async function loadWorker(): Promise<Worker> {
  const folder = await mkdtemp(join(tmpdir(), 'noctuary-scale-'))
  try {
    await prepareBundles()
    const { directory, module } = await buildBundle(fileURLToPath(new URL('../../src/worker.ts', import.meta.url)), folder)
    return (await import(join(directory, module))).default
  } finally {
    await rm(folder, { recursive: true })
  }
}

function toAsk(worker: Worker, bindings: object, { defer, forget }: Probe): Ask {
  const context = { waitUntil: defer, passThroughOnException: () => {}, props: {} }
  /** What a busy machine refuses is asked again, as callers do. */
  const send = async (path: string, init: RequestInit, tries = 1): Promise<Response> => {
    const response = await worker.fetch(new Request(`http://bench${path}`, init), bindings, context)
    if (response.status !== 503 || tries === MAX_TRIES) return response
    report(`${path}: 503, asked again`)
    forget()
    await sleep(1_000)
    return await send(path, init, tries + 1)
  }
  const ask = (path: string, key: string, body?: unknown) => {
    const headers = { Authorization: `Bearer ${key}`, 'Content-Type': 'application/json' }
    return send(path, body === undefined ? { headers } : { method: 'POST', headers, body: JSON.stringify(body) })
  }
  let cookie: string | undefined
  const signIn = async (key: string) => {
    const response = await send('/signin', { method: 'POST', headers: { Origin: 'http://bench' }, body: new URLSearchParams({ key }) })
    return (response.headers.get('Set-Cookie') ?? '').replace(/;.*/s, '')
  }
  return Object.assign(ask, {
    page: async (path: string, key: string) => {
      cookie ??= await signIn(key)
      return await send(path, { headers: { Accept: 'text/html', Cookie: cookie } })
    },
  })
}

type Measuring = {
  readonly deps: Deps
  readonly client: pg.Client
  readonly probe: Probe
  readonly ask: Ask
  /** A part of the names or paths that are measured. */
  readonly only: string
  readonly agentId: string
  readonly ingestKey: string
  readonly readonlyKey: string
}

const daysAgo = (days: number) => new Date(Date.now() - days * 86_400_000).toISOString()
const anHourAgo = () => new Date(Date.now() - 3_600_000).toISOString()

const ROUTES = (agentId: string): readonly (readonly [name: string, path: string, field?: string])[] => [
  ['agents', '/v1/agents'],
  ['an agent’s log', `/v1/agents/${agentId}`, 'events'],
  ['… of a rare vendor', `/v1/agents/${agentId}?vendor=rare`, 'events'],
  ['… of a common vendor', `/v1/agents/${agentId}?vendor=redis`, 'events'],
  ['… of a rare type', `/v1/agents/${agentId}?event_type=schema_change`, 'events'],
  ['… of one service', `/v1/agents/${agentId}?service=service-77&vendor=redis`, 'events'],
  ['… of nobody', `/v1/agents/${agentId}?vendor=nobody`, 'events'],
  ['services', '/v1/services'],
  ['services, a page', '/v1/services?limit=50&after=service-4'],
  ['a window', '/v1/services/service-2/context'],
  ['a window, earlier', `/v1/services/service-2/context?at=${anHourAgo()}`],
  ['the busiest window', '/v1/services/service-1/context'],
  ['the busiest, earlier', `/v1/services/service-1/context?at=${anHourAgo()}`],
  ['… others’ join', '/v1/services/service-3/context'],
  ['… and earlier', `/v1/services/service-3/context?at=${anHourAgo()}`],
  ['a growing window', '/v1/services/service-77/context'],
  ['a growing one, earlier', `/v1/services/service-77/context?at=${anHourAgo()}`],
  ['dependencies', '/v1/services/service-2/dependencies'],
  ['changes', '/v1/changes'],
  ['changes of a service', '/v1/changes?service=service-2'],
  ['… that others’ join', '/v1/changes?service=service-77'],
  ['incidents', '/v1/incidents'],
  ['quality', '/v1/quality'],
  ['incidents of a service', '/v1/incidents?service=service-77'],
  ['incidents of half a year', `/v1/incidents?since=${daysAgo(180)}`],
  ['audit', '/v1/audit'],
  ['api keys', '/v1/api-keys'],
  ['integrations', '/v1/integrations'],
]

const DIAGNOSES = [
  ['a diagnosis', 'service-2'],
  ['… of what grows', 'service-77'],
] as const

/** What a page shows is not counted: it is the same at every size. */
const PAGES = (agentId: string, serviceId: string, incidentId: string): readonly string[] => [
  '/incidents',
  '/incidents?status=resolved&days=90',
  '/incidents?verdict=rejected&days=90',
  '/incidents?service=service-77&days=90',
  '/incidents?service=nobody&days=90',
  `/incidents/${incidentId}`,
  '/changes',
  '/changes?service=service-77',
  '/changes?text=nobody',
  '/services',
  '/services?name=service-77',
  `/services/${serviceId}`,
  `/services/${serviceId}?view=incidents`,
  '/search?q=service-2',
  '/search?q=entity-1',
  '/search?q=nobody',
  '/agents',
  `/agents/${agentId}`,
  '/connect',
  '/settings/keys',
  '/settings/quality',
  '/settings/audit',
  '/start',
]

async function measure(measuring: Measuring): Promise<Reading[]> {
  const { deps, client, probe, ask, only, agentId, ingestKey, readonlyKey } = measuring
  // As many ticks as it takes to have counted the last hour of each agent.
  for (let tick = 0; tick < 14; tick += 1) await countReceived(deps.db)
  await runSweep(deps, new Date())
  const readings: Reading[] = []
  for (const [name, path, list] of ROUTES(agentId)) {
    if (![name, path].some((text) => text.includes(only))) continue
    readings.push(await probe.watch(name, async () => countShown(await toJson(await ask(path, readonlyKey)), list)))
  }
  const asked = await toJson(await ask('/v1/incidents', readonlyKey, { service: 'service-3' }))
  const { rows } = await client.query(
    `SELECT s.id FROM services s JOIN agents a ON a.tenant_id = s.tenant_id WHERE a.id = $1 AND s.name = 'service-77'`,
    [agentId],
  )
  for (const path of PAGES(agentId, rows[0]?.id, String(field(asked, 'id')))) {
    if (!path.includes(only)) continue
    readings.push(
      await probe.watch(path.replaceAll(/[0-9a-f-]{36}/g, '…'), async () => {
        const page = await ask.page(path, readonlyKey)
        await page.text()
        if (page.status !== 200) throw new Error(`${path}: ${page.status}`)
        return undefined
      }),
    )
  }
  for (const [name, service] of DIAGNOSES) {
    if (!name.includes(only)) continue
    readings.push(
      await probe.watch(name, async () => {
        const snapshot = field(await toJson(await ask('/v1/incidents', readonlyKey, { service })), 'context_snapshot')
        const windows = field(snapshot, 'windows')
        return Array.isArray(windows) ? windows.reduce<number>((sum, window) => sum + countShown(window), 0) : 0
      }),
    )
  }
  if (only !== '') return readings
  const event = (sha: string) => ({
    service_name: `service-${sha.length}`,
    vendor: 'argocd',
    entity: 'x',
    event_type: 'deploy',
    sha,
    confidence: 0.9,
    ttl_seconds: 900,
  })
  readings.push(
    await probe.time('an event', async () => void (await toJson(await ask('/v1/events', ingestKey, event(randomUUID()))))),
    await probe.time('a batch of 500', async () => {
      await toJson(
        await ask(
          '/v1/events/batch',
          ingestKey,
          Array.from({ length: 500 }, () => event(randomUUID())),
        ),
      )
    }),
    await probe.time(
      `a sweep of ${SWEPT.toLocaleString('en')}`,
      async () => {
        const { deleted, batches } = await runSweep(deps, new Date())
        report(`${deleted.toLocaleString('en')} swept in ${batches} batches`)
      },
      async () =>
        void (await client.query(
          `UPDATE context_events SET expires_at = now() - interval '1 second', kept_until = NULL WHERE id IN (
            SELECT id FROM context_events WHERE tenant_id <> (SELECT tenant_id FROM agents WHERE id = $1) LIMIT ${SWEPT})`,
          [agentId],
        )),
    ),
  )
  return readings
}

async function toJson(response: Response): Promise<unknown> {
  const text = await response.text()
  if (!response.ok) throw new Error(`${response.status} ${text.slice(0, 200)}`)
  return text === '' ? undefined : JSON.parse(text)
}

/** How many entries an answer shows: those of a list, or of all lists in it. */
function countShown(answer: unknown, list?: string): number {
  if (Array.isArray(answer)) return answer.length
  if (typeof answer !== 'object' || answer === null) return 0
  const parts = Object.entries(answer).flatMap(([name, value]) => (Array.isArray(value) && (list ?? name) === name ? [value.length] : []))
  return parts.reduce((sum, part) => sum + part, 0)
}

/** What has more to tell the larger the table is: windows of which ever more is looked at, and a count of all answers. */
const GROWING: ReadonlySet<string> = new Set([
  '… of what grows',
  'a growing window',
  'a growing one, earlier',
  '/services/…',
  '/services/…?view=incidents',
  'quality',
  '/settings/quality',
])

/** From outside, and how much more an entry that is shown may cost with ten times as many events. */
const [MAX_MS, MAX_GROWTH] = [150, 1.3]

function format(sizes: readonly Size[]): string {
  const [first, last] = [sizes[0], sizes.at(-1)]
  const tenfolds = Math.log10((last?.events ?? 1) / (first?.events ?? 1))
  const head = [
    '',
    ...sizes.flatMap(({ events }) => [`${(events / 1e6).toFixed(1)} M: ms`, 'buffers', 'read ÷ shown']),
    'buffers a tenfold',
  ]
  const rows = (first?.readings ?? []).map(({ name }, place) => {
    const readings = sizes.map((size) => size.readings[place])
    const cost = (reading: Reading | undefined) => (reading?.buffers ?? reading?.ms ?? 1) / Math.max(1, reading?.shown ?? 1)
    const growth = (cost(readings.at(-1)) / cost(readings[0])) ** (1 / (tenfolds || 1))
    const cells = readings.flatMap((reading) => [
      reading?.failure ?? reading?.ms.toFixed(1) ?? '',
      reading?.buffers?.toLocaleString('en') ?? '',
      reading?.rowsRead === undefined ? '' : [reading.rowsRead, reading.shown].filter((count) => count !== undefined).join(' ÷ '),
    ])
    return { name, growth, isSlow: (last?.readings[place]?.ms ?? 0) > MAX_MS, row: [name, ...cells, `${growth.toFixed(2)} ×`] }
  })
  const list = (title: string, wanted: (row: (typeof rows)[number]) => boolean) =>
    `${title}: ${rows.flatMap((row) => (wanted(row) ? [row.name] : [])).join(', ') || 'nothing'}.`
  return [
    toLines([head, ...rows.map(({ row }) => row)]),
    `Quickest of ${TIMES}; buffers of 8 kB and rows of all statements of a request, in Postgres; growth of buffers an entry that is shown, or of ms.`,
    list(`Longer than ${MAX_MS} ms at the last size`, ({ isSlow }) => isSlow),
    list(`More than ${MAX_GROWTH} × a tenfold`, ({ name, growth }) => growth > MAX_GROWTH && !GROWING.has(name)),
    list('So much more where what is to be told grows', ({ name, growth }) => growth > MAX_GROWTH && GROWING.has(name)),
  ].join('\n')
}

try {
  await main()
} catch (error) {
  console.error(error instanceof UsageError ? `bench: ${error.message}; --help shows how` : error)
  process.exitCode = 1
}
