import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestProject } from 'vitest/node'
import { spawnStack } from '../stack/spawn-stack.ts'
import type { StackAddresses } from '../stack/stack.ts'

declare module 'vitest' {
  export interface ProvidedContext {
    stack: StackAddresses
  }
}

/**
 * One local stack for the whole run: embedded, or over `DATABASE_URL` and `REDIS_URL`. The first embedded Postgres that is made
 * is kept for the stacks that start later.
 */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const folder = await mkdtemp(join(tmpdir(), 'noctuary-'))
  process.env['NOCTUARY_SEED'] = join(folder, 'postgres.tar')
  const { stop, ...addresses } = await spawnStack({
    databaseUrl: process.env['DATABASE_URL'],
    redisUrl: process.env['REDIS_URL'],
  })
  project.provide('stack', addresses)
  return async () => {
    await stop()
    await rm(folder, { recursive: true })
  }
}
