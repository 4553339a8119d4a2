import { readFileSync } from 'node:fs'
import { sql } from 'drizzle-orm'
import { expect, test } from 'vitest'
import { createTestTenant, startApp, type TestTenant } from '../support/app.ts'

const app = startApp()

type Row = Readonly<Record<'name' | 'answer' | 'context_snapshot' | 'signature', string>> & {
  readonly answered: Readonly<Record<string, unknown>>
}

/** Rows as they were stored before versions were, and what the API answered of them. */
const ROWS: readonly Row[] = JSON.parse(readFileSync(new URL('../fixtures/stored-diagnoses.json', import.meta.url), 'utf8'))

/** The path of an incident whose answer is stored as a row says. */
async function store(tenant: TestTenant, { answer, context_snapshot, signature }: Row): Promise<string> {
  const response = await app.request('/v1/incidents', { key: tenant.readonlyKey, body: { service: 'checkout', create: true } })
  const { id }: { id: string } = await response.json()
  await app.deps.db.execute(
    sql`UPDATE diagnoses SET answer = ${answer}::json, context_snapshot = ${context_snapshot}::json, signature = ${signature}::json WHERE incident_id = ${id}`,
  )
  return `/v1/incidents/${id}`
}

const judge = (tenant: TestTenant, path: string) =>
  app.request(`${path}/feedback`, { key: tenant.readonlyKey, method: 'PUT', body: { confirmed: true } })

test.each(ROWS)('an answer from before versions reads as it did: $name', async (row) => {
  const tenant = await createTestTenant(app)
  const path = await store(tenant, row)
  const read = await (await app.request(path, { key: tenant.readonlyKey })).json()
  expect(read).toMatchObject(row.answered)
  expect(JSON.stringify(read.context_snapshot)).toBe(row.context_snapshot)
  expect((await judge(tenant, path)).status).toBe(204)
})

test('an answer of a later release is refused, not misread, and judged by none', async () => {
  const tenant = await createTestTenant(app)
  const later = (text: string) => `{"v":2,${text.slice(1)}`
  const [row] = ROWS.slice(-1)
  if (!row) throw new Error('no rows')
  const path = await store(tenant, { ...row, answer: later(row.answer), signature: later(row.signature) })
  expect((await app.request(path, { key: tenant.readonlyKey })).status).toBe(503)
  expect((await judge(tenant, path)).status).toBe(503)
  const [incident] = await (await app.request('/v1/incidents', { key: tenant.readonlyKey })).json()
  expect(incident).toMatchObject({ engineer_confirmed: null })
})
