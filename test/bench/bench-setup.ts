import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { sql } from 'drizzle-orm'
import { readConfig } from '../../src/config.ts'
import { createDeps, type Deps } from '../../src/deps.ts'
import { createTenant, type NewTenant } from '../../src/usecases/create-tenant.ts'
import { type SpawnOptions, spawnStack } from '../stack/spawn-stack.ts'
import { type StackAddresses, toBindings } from '../stack/stack.ts'
import { eraseFromPostgres, eraseFromRedis } from './erase.ts'
import { type Bundle, buildBundle, prepareBundles, type ServedWorker, serveBundle } from './workerd.ts'

/** Ends what was started, last started first. */
export type Cleanup = { readonly add: (stop: () => Promise<unknown>) => void; readonly run: () => Promise<void> }

export type Environment = {
  readonly stack: StackAddresses
  readonly deps: Deps
  readonly tenant: NewTenant
  /** Makes another tenant, which is gone with the rest. */
  readonly addTenant: (name: string) => Promise<NewTenant>
  readonly bindings: Readonly<Record<string, string>>
  readonly bundle: Bundle
  readonly floorBundle: Bundle
  readonly sweepBundle: Bundle
  /**
   * Another local stack of the same stores, a process of its own: what goes through it waits for nothing that goes through the first.
   * Embedded stores one process alone can open: theirs is the first.
   */
  readonly addStack: (options?: Pick<SpawnOptions, 'freshConnections'>) => Promise<StackAddresses>
  /** Serves a bundle until the end of the run. */
  readonly serve: (bundle: Bundle, name: string, bindings?: Readonly<Record<string, string>>) => Promise<ServedWorker>
}

const SETUP_TIMEOUT_MS = 120_000

const pathTo = (file: string): string => fileURLToPath(new URL(file, import.meta.url))

/** Collects what has to end, and ends all of it whatever fails. */
export function createCleanup(): Cleanup {
  const stops: (() => Promise<unknown>)[] = []
  return {
    add: (stop) => void stops.unshift(stop),
    run: async () => {
      for (const stop of stops.splice(0)) {
        await stop().catch((error: unknown) => void process.stderr.write(`bench: cleaning up: ${String(error)}\n`))
      }
    },
  }
}

/** The local cloud, a tenant with a registered agent, and the bundles, all gone once `cleanup` has run. */
export async function openEnvironment(cleanup: Cleanup, report: (line: string) => void): Promise<Environment> {
  const databaseUrl = process.env['DATABASE_URL'] || undefined
  const redisUrl = process.env['REDIS_URL'] || undefined

  const directory = await mkdtemp(join(tmpdir(), 'noctuary-bench-'))
  cleanup.add(() => rm(directory, { recursive: true, force: true }))
  report('building the bundles')
  await prepareBundles()
  const [bundle, floorBundle, sweepBundle] = await Promise.all([
    buildBundle(pathTo('../../src/worker.ts'), join(directory, 'worker')),
    buildBundle(pathTo('floor-worker.ts'), join(directory, 'floor')),
    buildBundle(pathTo('sweep-worker.ts'), join(directory, 'sweep')),
  ])

  const tenants: NewTenant[] = []
  // Straight from the real stores, for Ctrl-C has already ended the local stack by then.
  cleanup.add(async () => {
    const tenantIds = tenants.map(({ tenantId }) => tenantId)
    if (databaseUrl !== undefined) await eraseFromPostgres(databaseUrl, tenantIds)
    if (redisUrl !== undefined) await eraseFromRedis(redisUrl, tenantIds)
  })
  report('starting the local stack')
  const stack = await spawnStack({ databaseUrl, redisUrl })
  cleanup.add(stack.stop)
  const addStack: Environment['addStack'] = async (options = {}) => {
    if (databaseUrl === undefined || redisUrl === undefined) return stack
    const added = await spawnStack({ databaseUrl, redisUrl, ...options })
    cleanup.add(added.stop)
    return added
  }

  const config = readConfig(toBindings(stack))
  const deps: Deps = {
    ...createDeps({
      ...config,
      database: { ...config.database, timeoutMs: SETUP_TIMEOUT_MS },
      redis: { ...config.redis, timeoutMs: SETUP_TIMEOUT_MS },
    }),
    log: () => {},
  }
  const addTenant: Environment['addTenant'] = async (name) => {
    const added = await createTenant(deps, `${name} ${randomUUID()}`)
    tenants.push(added)
    return added
  }
  const tenant = await addTenant('bench')
  await deps.db.execute(
    sql`CREATE TABLE IF NOT EXISTS bench_appends (id uuid PRIMARY KEY, received_at timestamptz NOT NULL, event text NOT NULL)`,
  )

  const bindings = {
    ...toBindings(stack),
  }
  const serve: Environment['serve'] = async (served, name, overrides = {}) => {
    const worker = await serveBundle(served, name, { ...bindings, ...overrides })
    cleanup.add(worker.stop)
    return worker
  }
  return { stack, deps, tenant, addTenant, bindings, bundle, floorBundle, sweepBundle, addStack, serve }
}
