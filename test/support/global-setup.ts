import type { TestProject } from 'vitest/node'
import { spawnStack } from '../stack/spawn-stack.ts'
import type { StackAddresses } from '../stack/stack.ts'

declare module 'vitest' {
  export interface ProvidedContext {
    stack: StackAddresses
  }
}

/** One local stack for the whole run: embedded, or over `DATABASE_URL` and `REDIS_URL`. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const { stop, ...addresses } = await spawnStack({
    databaseUrl: process.env['DATABASE_URL'],
    redisUrl: process.env['REDIS_URL'],
  })
  project.provide('stack', addresses)
  return stop
}
