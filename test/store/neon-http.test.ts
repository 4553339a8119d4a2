import { neon, neonConfig } from '@neondatabase/serverless'
import { eq, sql } from 'drizzle-orm'
import { drizzle } from 'drizzle-orm/neon-http'
import { bigint, boolean, integer, jsonb, pgTable, text, timestamp } from 'drizzle-orm/pg-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { spawnStack } from '../stack/spawn-stack.ts'
import type { Stack } from '../stack/stack.ts'

const { DATABASE_URL: realUrl } = process.env

const BACKENDS = [
  { name: 'the embedded Postgres', databaseUrl: undefined },
  ...(realUrl ? [{ name: 'a real Postgres', databaseUrl: realUrl }] : []),
]

const tableName = `neon_http_${crypto.randomUUID().replaceAll('-', '')}`

const items = pgTable(tableName, {
  id: integer('id').primaryKey(),
  label: text('label').notNull(),
  size: bigint('size', { mode: 'number' }),
  active: boolean('active').notNull().default(true),
  tags: text('tags').array(),
  body: jsonb('body').$type<Readonly<Record<string, unknown>>>(),
  at: timestamp('at', { withTimezone: true }),
})

const JSON_HEADERS = { 'neon-connection-string': 'postgres://a:b@localhost/c', 'neon-raw-text-output': 'true', 'neon-array-mode': 'true' }

describe.each(BACKENDS)('the Neon protocol over $name', ({ databaseUrl }) => {
  let stack: Stack

  // The driver's settings are the process's, where other files have theirs.
  const { fetchEndpoint, fetchFunction } = neonConfig

  beforeAll(async () => {
    stack = await spawnStack({ databaseUrl })
    Object.assign(neonConfig, { fetchEndpoint: stack.databaseEndpoint, fetchFunction: undefined })
    await connect().execute(
      sql`create table ${items} (id int primary key, label text not null check (label <> ''), size bigint, active boolean not null default true, tags text[], body jsonb, at timestamptz)`,
    )
  })

  afterAll(async () => {
    await connect().execute(sql`drop table ${items}`)
    await stack.stop()
    Object.assign(neonConfig, { fetchEndpoint, fetchFunction })
  })

  const connect = () => drizzle(neon(stack.databaseUrl))

  const post = async (body: unknown, headers: Readonly<Record<string, string>> = JSON_HEADERS) => {
    const response = await fetch(stack.databaseEndpoint, { method: 'POST', headers, body: JSON.stringify(body) })
    return { status: response.status, body: (await response.json()) as unknown }
  }

  test('every column type survives the way there and back', async () => {
    const row = {
      id: 1,
      label: 'naïve 🌙 "quoted" \\ \n',
      size: 2 ** 40,
      active: false,
      tags: ['a,b', '{"c"}', ''],
      body: { nested: [1, null, 'x'] },
      at: new Date('2026-01-02T03:04:05.678Z'),
    }
    await connect().insert(items).values(row)
    expect(await connect().select().from(items).where(eq(items.id, 1))).toEqual([row])
  })

  test('nulls and empty results are kept', async () => {
    await connect().insert(items).values({ id: 2, label: 'bare' })
    expect(await connect().select().from(items).where(eq(items.id, 2))).toEqual([
      { id: 2, label: 'bare', size: null, active: true, tags: null, body: null, at: null },
    ])
    expect(await connect().select().from(items).where(eq(items.id, -1))).toEqual([])
  })

  test('a result counts the rows a statement changed', async () => {
    await connect()
      .insert(items)
      .values([
        { id: 10, label: 'x' },
        { id: 11, label: 'x' },
      ])
    const result = await connect().update(items).set({ size: 1 }).where(eq(items.label, 'x'))
    expect(result).toMatchObject({ rowCount: 2, command: 'UPDATE', rows: [] })
  })

  test('the answer carries text values and the fields of Neon', async () => {
    const answer = await post({ query: 'select 1::int as one, null::text as nothing, true as yes', params: [] })
    expect(answer).toEqual({
      status: 200,
      body: {
        command: 'SELECT',
        rowCount: 1,
        rowAsArray: true,
        rows: [['1', null, 't']],
        fields: [
          { name: 'one', dataTypeID: 23, tableID: 0, columnID: 0, dataTypeSize: 4, dataTypeModifier: -1, format: 'text' },
          { name: 'nothing', dataTypeID: 25, tableID: 0, columnID: 0, dataTypeSize: -1, dataTypeModifier: -1, format: 'text' },
          { name: 'yes', dataTypeID: 16, tableID: 0, columnID: 0, dataTypeSize: 1, dataTypeModifier: -1, format: 'text' },
        ],
      },
    })
  })

  test('rows are objects without the array mode, and parameters may be any JSON scalar', async () => {
    const { 'neon-array-mode': _, ...headers } = JSON_HEADERS
    const answer = await post({ query: 'select $1::int + 1 as n, $2::boolean as b, $3::text as t', params: [41, true, null] }, headers)
    expect(answer).toMatchObject({ status: 200, body: { rows: [{ n: '42', b: 't', t: null }] } })
  })

  test('a batch commits all of its statements and answers each', async () => {
    const db = connect()
    const [inserted, counted] = await db.batch([
      db.insert(items).values({ id: 20, label: 'batch' }).returning({ id: items.id }),
      db.select({ label: items.label }).from(items).where(eq(items.id, 20)),
    ])
    expect(inserted).toEqual([{ id: 20 }])
    expect(counted).toEqual([{ label: 'batch' }])
  })

  test('a failing batch leaves nothing behind', async () => {
    const db = connect()
    const batch = db.batch([
      db.insert(items).values({ id: 30, label: 'undone' }),
      db.insert(items).values({ id: 30, label: 'twice' }),
      db.insert(items).values({ id: 31, label: 'after' }),
    ])
    await expect(batch).rejects.toMatchObject({ name: 'NeonDbError', code: '23505', constraint: `${tableName}_pkey` })
    expect(await db.select().from(items).where(sql`${items.id} in (30, 31)`)).toEqual([])
  })

  test.each([
    {
      name: 'a unique violation',
      query: `insert into ${tableName} (id, label) values (1, 'again')`,
      code: '23505',
      fields: { constraint: `${tableName}_pkey`, table: tableName },
    },
    {
      name: 'a check violation',
      query: `insert into ${tableName} (id, label) values (99, '')`,
      code: '23514',
      fields: { constraint: `${tableName}_label_check` },
    },
    { name: 'a missing value', query: `insert into ${tableName} (id) values (99)`, code: '23502', fields: { column: 'label' } },
    { name: 'a syntax error', query: 'selekt 1', code: '42601', fields: { position: '1' } },
    { name: 'an unknown table', query: 'select * from no_such_table', code: '42P01', fields: { position: '15' } },
    { name: 'two statements in one text', query: 'select 1; select 2', code: '42601', fields: {} },
    { name: 'a missing parameter', query: 'select $1::int', code: '08P01', fields: {} },
  ])('$name reaches the client with its SQLSTATE', async ({ query, code, fields }) => {
    const error: unknown = await neon(stack.databaseUrl)
      .query(query)
      .catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ name: 'NeonDbError', severity: 'ERROR', code, ...fields })
  })

  test('drizzle finds the SQLSTATE of a single statement in the cause', async () => {
    const insert = connect().insert(items).values({ id: 1, label: 'again' })
    await expect(insert).rejects.toMatchObject({ cause: { name: 'NeonDbError', code: '23505' } })
  })

  test('a read-only batch refuses to write, at the asked isolation level', async () => {
    const client = neon(stack.databaseUrl)
    const [level] = await client.transaction([client`show transaction_isolation`], {
      isolationLevel: 'Serializable',
      readOnly: true,
      deferrable: true,
    })
    expect(level).toEqual([{ transaction_isolation: 'serializable' }])
    const write = client.transaction([client.query(`delete from ${tableName}`)], { readOnly: true })
    await expect(write).rejects.toMatchObject({ code: '25006' })
  })

  test('a transaction left open does not reach the next request', async () => {
    await post({ query: 'begin', params: [] })
    await post({ query: `insert into ${tableName} (id, label) values (40, 'kept')`, params: [] })
    const status = await Promise.all([1, 2, 3].map(() => post({ query: 'select now() = statement_timestamp() as fresh', params: [] })))
    expect(status.map(({ status: code }) => code)).toEqual([200, 200, 200])
    expect(await connect().select({ id: items.id }).from(items).where(eq(items.id, 40))).toEqual([{ id: 40 }])
  })

  test('a parameter of several megabytes fits', async () => {
    const big = 'é'.repeat(2_000_000)
    const rows = await neon(stack.databaseUrl).query('select $1::text as big', [big])
    expect(rows[0]?.['big'] === big).toBe(true)
  })

  test('many requests at once all get their own answer', async () => {
    const client = neon(stack.databaseUrl)
    const numbers = Array.from({ length: 100 }, (_, index) => index)
    const answers = await Promise.all(numbers.map((number) => client.query('select $1::int as n', [number])))
    expect(answers.map((rows) => rows[0]?.['n'])).toEqual(numbers)
  })

  test.each([
    { name: 'no connection string', body: { query: 'select 1' }, headers: { 'neon-raw-text-output': 'true' } },
    { name: 'no query', body: { params: [] }, headers: JSON_HEADERS },
    { name: 'parameters that are no array', body: { query: 'select 1', params: 'x' }, headers: JSON_HEADERS },
    { name: 'an unknown isolation level', body: { queries: [] }, headers: { ...JSON_HEADERS, 'neon-batch-isolation-level': 'Chaos' } },
  ])('$name is a 400 without a code', async ({ body, headers }) => {
    const answer = await post(body, headers)
    expect(answer).toEqual({ status: 400, body: { message: expect.any(String) } })
  })
})
