import { randomUUID } from 'node:crypto'
import pg from 'pg'
import { afterAll } from 'vitest'
import { spawnStack } from '../stack/spawn-stack.ts'
import type { StackAddresses } from '../stack/stack.ts'

/** A stack for one test file alone, for tests that sweep: a sweep is of all tenants. It ends with the file. */
export async function startOwnStack(): Promise<StackAddresses> {
  const shared = process.env['DATABASE_URL']
  const name = `noctuary_${randomUUID().replaceAll('-', '')}`
  const databaseUrl = shared ? Object.assign(new URL(shared), { pathname: `/${name}` }).href : undefined
  if (shared) await runOn(shared, `CREATE DATABASE ${name}`)

  const { stop, ...addresses } = await spawnStack({ databaseUrl, redisUrl: process.env['REDIS_URL'] })
  afterAll(async () => {
    await stop()
    if (shared) await runOn(shared, `DROP DATABASE ${name} WITH (FORCE)`)
  })
  return addresses
}

async function runOn(databaseUrl: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: databaseUrl })
  await client.connect()
  try {
    await client.query(statement)
  } finally {
    await client.end()
  }
}
