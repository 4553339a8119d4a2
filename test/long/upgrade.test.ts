import { execFile, execFileSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { mkdtemp, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import pg from 'pg'
import { expect, inject, onTestFinished, test } from 'vitest'
import { migrate } from '../../src/commands/migrations.ts'
import { createKey } from '../../src/domain/access/api-key.ts'
import { sha256Hex } from '../../src/domain/hash.ts'
import { buildBundle, prepareBundles, serveBundle } from '../bench/workerd.ts'
import { createPostgresBackend, serveNeon } from '../stack/neon-http.ts'
import { spawnStack } from '../stack/spawn-stack.ts'
import { makeEvent, startApp } from '../support/app.ts'
import { makeMigrations } from '../support/migrations.ts'

const run = promisify(execFile)
const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const REAL = process.env['DATABASE_URL'] ?? ''
const FIRST_RELEASE = '38d4c5c0d9760df460f733e694df9c3747155105'
const INGEST_KEY = createKey('ingest', (length) => new Uint8Array(length))
const [EVENTS_BEFORE, SENDERS] = [100_000, 4]
/** No request takes longer, upgrade or not. */
const SLOWEST_MS = 5_000

function git(...words: readonly string[]): string {
  try {
    return execFileSync('git', ['-C', ROOT, ...words], { stdio: ['ignore', 'pipe', 'ignore'] })
      .toString()
      .trim()
  } catch {
    return ''
  }
}

/** The commit of a name, in a history that holds it: a shallow clone has its own alone. */
const findRelease = (name: string) => git('rev-parse', '--quiet', '--verify', `${name}^{commit}`)
const LATEST_MIGRATION = git('log', '-1', '--format=%H', '--', 'drizzle/migrations/meta')

const FILES = 'src drizzle package.json tsconfig.json wrangler.toml'

/** A release as a folder of its files, and its Worker's bundle; without one as they are now. */
async function buildRelease(release?: string) {
  const folder = await mkdtemp(join(tmpdir(), 'noctuary-release-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  const files = release === undefined ? `tar -C '${ROOT}' -c ${FILES}` : `git -C '${ROOT}' archive '${release}' ${FILES}`
  await run('sh', ['-c', `${files} | tar -x -C '${folder}'`])
  await symlink(join(ROOT, 'node_modules'), join(folder, 'node_modules'))
  await prepareBundles(folder)
  return { folder, bundle: await buildBundle(join(folder, 'src/worker.ts'), join(folder, 'bundle'), folder) }
}

async function createDatabase() {
  const name = `noctuary_upgrade_${process.pid}_${Math.trunc(performance.now())}`
  const admin = new pg.Client({ connectionString: REAL })
  await admin.connect()
  await admin.query('SET statement_timeout = 0')
  await admin.query(`CREATE DATABASE ${name}`)
  const url = Object.assign(new URL(REAL), { pathname: `/${name}` }).href
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  const neon = await serveNeon({ backend: createPostgresBackend(url) })
  onTestFinished(async () => {
    await neon.stop()
    await client.end()
    await admin.query(`DROP DATABASE ${name} WITH (FORCE)`)
    await admin.end()
  })
  return { url, client, neonUrl: neon.url }
}

const post = (url: string, path: string, body: unknown) =>
  fetch(`${url}${path}`, {
    method: 'POST',
    headers: { Authorization: `Bearer ${INGEST_KEY}`, 'Content-Type': 'application/json' },
    body: JSON.stringify(body),
  })

/** Answers whether an event was taken. */
type Send = (event: ReturnType<typeof makeEvent>) => Promise<boolean>

/** To wherever the Worker is by then: what it does not take it refuses with 503, and says when to come again. */
const toWorker =
  (where: () => string): Send =>
  async (event) => {
    const response = await post(where(), '/v1/events', event)
    await response.arrayBuffer()
    if (response.status === 201) return true
    expect([response.status, Number(response.headers.get('Retry-After')) > 0]).toEqual([503, true])
    return false
  }

/** Sends events one after the other, each again until it is taken, as agents do. */
async function sendWhile(isWanted: () => boolean, send: Send, name: string) {
  const seen = { sent: 0, refused: 0, slowestMs: 0 }
  while (isWanted()) {
    const event = makeEvent({
      service_name: `service-${seen.sent % 20}`,
      sha: `during-${name}-${seen.sent}`,
      timestamp: new Date().toISOString(),
    })
    for (let isTaken = false; !isTaken; ) {
      const startedAt = performance.now()
      isTaken = await send(event)
      seen.slowestMs = Math.max(seen.slowestMs, performance.now() - startedAt)
      if (isTaken) break
      seen.refused += 1
      await sleep(100)
    }
    seen.sent += 1
  }
  return seen
}

async function createTenant(client: pg.Client): Promise<void> {
  const [ids] = (await client.query('SELECT gen_random_uuid() AS tenant, gen_random_uuid() AS key')).rows
  await client.query(`INSERT INTO tenants (id, name) VALUES ($1, 'upgrade')`, [ids.tenant])
  await client.query(
    `INSERT INTO api_keys (id, tenant_id, key_type, prefix, last4, hash) VALUES ($1, $2, 'ingest', 'noc_ingest_x', 'none', $3)`,
    [ids.key, ids.tenant, await sha256Hex(INGEST_KEY)],
  )
}

/** Of the events that are stored, as many as make so many, each a change of its own. */
async function fill(client: pg.Client, events: number): Promise<void> {
  await client.query('SET statement_timeout = 0')
  await client.query(
    `INSERT INTO context_events SELECT r.* FROM context_events e CROSS JOIN generate_series(1, $1::int / (SELECT count(*)::int FROM context_events) - 1) AS n,
      LATERAL jsonb_populate_record(e, jsonb_build_object('id', md5(e.id::text || n)::uuid, 'change_key', md5(n || e.id::text)::uuid)) AS r`,
    [events],
  )
}

const upgrade = (url: string) =>
  run(process.execPath, [join(ROOT, 'src/commands/db-migrate.ts')], { env: { ...process.env, DATABASE_URL: url } })

async function expectAll(client: pg.Client, senders: readonly Awaited<ReturnType<typeof sendWhile>>[]): Promise<void> {
  const sent = senders.reduce((sum, each) => sum + each.sent, 0)
  const { rows } = await client.query(
    `SELECT count(*)::int AS stored, count(DISTINCT sha)::int AS different, (SELECT count(*)::int FROM context_events) AS all
      FROM context_events WHERE sha LIKE 'during-%'`,
  )
  expect(rows[0]).toEqual({ stored: sent, different: sent, all: EVENTS_BEFORE + sent })
  expect(sent).toBeGreaterThan(100)
  expect(Math.max(...senders.map(({ slowestMs }) => slowestMs))).toBeLessThan(SLOWEST_MS)
}

const RELEASES = [
  ['the first release', findRelease(FIRST_RELEASE)],
  ['the release before the latest migration', findRelease(`${LATEST_MIGRATION}^`)],
] as const

test.runIf(REAL).each(RELEASES.filter(([, release]) => release !== ''))(
  'a filled database of %s is upgraded while events flow: none is lost, and none waits long',
  async (_name, release) => {
    const [{ url, client, neonUrl }, before, after] = await Promise.all([createDatabase(), buildRelease(release), buildRelease()])
    await migrate(client, undefined, join(before.folder, 'drizzle/migrations'))
    await createTenant(client)
    const { redisUrl, redisToken } = inject('stack')
    const bindings = {
      DATABASE_URL: url,
      DATABASE_ENDPOINT: `${neonUrl}/sql`,
      UPSTASH_REDIS_REST_URL: redisUrl,
      UPSTASH_REDIS_REST_TOKEN: redisToken,
    }
    const [worker, next] = await Promise.all([serveBundle(before.bundle, 'before', bindings), serveBundle(after.bundle, 'after', bindings)])
    onTestFinished(async () => void (await Promise.all([worker.stop(), next.stop()])))
    expect((await post(worker.url, '/v1/agents/register', { hostname: 'upgrade' })).ok).toBe(true)
    const batch = Array.from({ length: 500 }, (_, place) =>
      makeEvent({ service_name: `service-${place % 20}`, sha: `before-${place}`, ttl_seconds: 86_400 }),
    )
    expect((await post(worker.url, '/v1/events/batch', batch)).status).toBe(200)
    await fill(client, EVENTS_BEFORE)

    let [where, isWanted] = [worker.url, true]
    const sending = Promise.all(
      Array.from({ length: SENDERS }, (_, sender) =>
        sendWhile(
          () => isWanted,
          toWorker(() => where),
          `${sender}`,
        ),
      ),
    )
    await sleep(500)
    await upgrade(url)
    await sleep(500)
    where = next.url
    await sleep(1_000)
    isWanted = false
    await expectAll(client, await sending)
    expect((await fetch(`${next.url}/health`)).status).toBe(200)
  },
)

/** How many migrations the first release had, and the statement by which its Worker stored an event. */
const FIRST_MIGRATIONS = 9
const FIRST_STATEMENT = `SELECT ingest_event_v1($1, $2, $3, replace($3, '-', ''), $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $8, '{}', '{}') AS stored`

test.runIf(REAL)(
  'the first release’s statements are taken while its filled database is upgraded, whatever history a checkout has',
  async () => {
    const { url, client } = await createDatabase()
    await migrate(client, undefined, makeMigrations(FIRST_MIGRATIONS))
    await createTenant(client)
    const hash = await sha256Hex(INGEST_KEY)
    await client.query(
      `INSERT INTO agents (id, tenant_id, api_key_id, hostname, name) SELECT id, tenant_id, id, 'upgrade', 'upgrade' FROM api_keys`,
    )
    const senders = Array.from({ length: SENDERS }, () => new pg.Client({ connectionString: url }))
    await Promise.all(senders.map((sender) => sender.connect()))
    onTestFinished(async () => void (await Promise.all(senders.map((sender) => sender.end()))))
    const store =
      (connection: pg.Client): Send =>
      async (event) => {
        const { service_name, vendor, event_type, entity, old_value, new_value, actor, sha, confidence, ttl_seconds, timestamp, raw_line } =
          event
        const texts = [
          service_name,
          vendor,
          event_type,
          entity,
          old_value,
          new_value,
          actor,
          sha,
          confidence,
          ttl_seconds,
          timestamp,
          raw_line,
        ]
        const { rows } = await connection.query(FIRST_STATEMENT, [hash, randomUUID(), ...texts])
        return rows[0].stored.created.length === 1
      }
    for (let place = 0; place < 20; place += 1)
      await store(client)(makeEvent({ service_name: `service-${place}`, sha: `before-${place}`, ttl_seconds: 86_400 }))
    await fill(client, EVENTS_BEFORE)

    let isWanted = true
    const sending = Promise.all(senders.map((connection, sender) => sendWhile(() => isWanted, store(connection), `${sender}`)))
    await sleep(500)
    await upgrade(url)
    await sleep(500)
    isWanted = false
    await expectAll(client, await sending)

    const stack = await spawnStack({ databaseUrl: url, redisUrl: process.env['REDIS_URL'] })
    onTestFinished(stack.stop)
    const app = startApp({ stack })
    expect((await app.request('/v1/events', { key: INGEST_KEY, body: makeEvent({ service_name: 'service-0' }) })).status).toBe(201)
    expect(await migrate(client)).toMatchObject({ applied: [], built: [] })
  },
)
