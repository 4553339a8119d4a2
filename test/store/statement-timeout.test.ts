import { sql } from 'drizzle-orm'
import { Client } from 'pg'
import { afterAll, expect, inject, test } from 'vitest'
import { createPostgresBackend, serveNeon } from '../stack/neon-http.ts'
import { createTestTenant, startApp } from '../support/app.ts'
import { startOwnStack } from '../support/own-stack.ts'

const { postgres } = inject('stack')

// The embedded Postgres has no such timeout.
test.runIf(postgres === 'real')('a statement that the Worker has given up ends soon after', async () => {
  const stack = await startOwnStack()
  const backend = createPostgresBackend(stack.databaseUrl)
  const neon = await serveNeon({ backend })
  afterAll(async () => {
    await neon.stop()
    await backend.stop()
  })
  const app = startApp({ stack, database: `${neon.url}/sql`, patience: 1 })
  const tenant = await createTestTenant(app)
  expect(tenant.agentId).toBeTruthy()

  const client = new Client({ connectionString: stack.databaseUrl })
  await client.connect()
  const running = async () =>
    (
      await client.query(
        `SELECT count(*)::int AS count FROM pg_stat_activity WHERE datname = current_database() AND state = 'active' AND query LIKE '%pg_sleep(20)%' AND pid <> pg_backend_pid()`,
      )
    ).rows[0].count
  const startedMs = Date.now()
  await expect(app.deps.db.execute(sql`SELECT pg_sleep(20)`)).rejects.toThrow()
  expect(Date.now() - startedMs).toBeLessThan(9_000)
  expect(await running()).toBe(1)
  while ((await running()) > 0 && Date.now() - startedMs < 15_000) await new Promise((resolve) => setTimeout(resolve, 50))
  expect(Date.now() - startedMs).toBeLessThan(14_000)
  await client.end()
})
