import { neon, neonConfig } from '@neondatabase/serverless'
import { expect, onTestFinished, test } from 'vitest'
import { type NeonOptions, type NeonRefusal, type SqlBackend, serveNeon } from '../stack/neon-http.ts'

const FIELD = { name: 'text', dataTypeID: 25, tableID: 0, columnID: 0, dataTypeSize: -1, dataTypeModifier: -1, format: 'text' }

/** Answers as many rows of as many characters as the query's parameters say. */
const ROWS: SqlBackend = {
  run: async ({ params: [rows, characters] }) => ({
    fields: [FIELD],
    rows: Array.from({ length: Number(rows) }, () => ['x'.repeat(Number(characters))]),
    rowCount: Number(rows),
    command: 'SELECT',
  }),
  runBatch: async (_begin, queries) => Promise.all(queries.map((query) => ROWS.run(query))),
  stop: async () => {},
}

/** What Neon's client makes of the answer: how many rows, or the error. */
async function ask(options: NeonOptions, rows: number, characters: number): Promise<unknown> {
  const { url, stop } = await serveNeon({ backend: ROWS, ...options })
  const { fetchEndpoint, fetchFunction } = neonConfig
  onTestFinished(async () => {
    Object.assign(neonConfig, { fetchEndpoint, fetchFunction })
    await stop()
  })
  Object.assign(neonConfig, { fetchEndpoint: url, fetchFunction: undefined })
  const query = neon('postgres://noctuary:noctuary@localhost/noctuary')
  return query.query('SELECT $1, $2', [rows, characters]).then(
    (answer) => answer.length,
    (error: { readonly code?: unknown; readonly message: string }) => ({ code: error.code ?? undefined, message: error.message }),
  )
}

test.each<[NeonRefusal, RegExp]>([
  ['wrong_password', /password authentication failed/],
  ['quota_exceeded', /exceeded the compute time quota/],
  ['endpoint_disabled', /endpoint has been disabled/],
  ['request_too_large', /413.*request is too large/s],
  ['response_too_large', /507.*response is too large/s],
])('the proxy refuses with %s, without a SQLSTATE', async (refusal, message) => {
  expect(await ask({ refusal: () => refusal }, 1, 1)).toEqual({ code: undefined, message: expect.stringMatching(message) })
})

test.each<[string, number, number, unknown]>([
  ['rows within the limit', 9, 100, 9],
  ['rows beyond it', 12, 100, { code: undefined, message: expect.stringMatching(/507/) }],
  ['a single row beyond it, which passes between the checks', 1, 5_000, 1],
])('an answer of %s', async (_name, rows, characters, answer) => {
  expect(await ask({ maxBytes: 1_000 }, rows, characters)).toEqual(answer)
})

test('a request beyond the limit is a 413', async () => {
  expect(await ask({ maxBytes: 20 }, 1, 1)).toEqual({ code: undefined, message: expect.stringMatching(/413/) })
})
