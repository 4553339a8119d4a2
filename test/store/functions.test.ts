import { readdirSync, readFileSync } from 'node:fs'
import { sql } from 'drizzle-orm'
import { expect, test } from 'vitest'
import type { BatchDatabase } from '../../src/deps.ts'
import { FUNCTIONS } from '../../src/store/functions.ts'
import { startApp } from '../support/app.ts'

const FOLDER = new URL('../../drizzle/functions/', import.meta.url)
const SOURCES = new URL('../../src/', import.meta.url)

/** What operators call by hand, or triggers do. */
const BY_HAND = ['install_causal_patterns', 'keep_audit', 'keep_credential', 'plan_follow_up']

const app = startApp()

type Source = { readonly file: string; readonly kind: string; readonly name: string; readonly text: string }

function toSource(file: string, text: string): Source {
  const [, kind = '', name = ''] = /^CREATE (FUNCTION|TYPE) (\w+)/m.exec(text) ?? []
  return { file, kind, name, text }
}

const sources = readdirSync(FOLDER)
  .filter((file) => file.endsWith('.sql'))
  .map((file) => toSource(file.slice(0, -4), readFileSync(new URL(file, FOLDER), 'utf8')))

const statementOf = ({ text }: Source) => text.slice(text.search(/^CREATE /m))

const retiring = readFileSync(new URL('retiring.txt', FOLDER), 'utf8')
  .split('\n')
  .filter((line) => line !== '' && !line.startsWith('#'))
const retiringNames = retiring.map((line) => line.split(' ', 1).join(''))

type Definition = { readonly schema: string; readonly name: string; readonly text: string }

/** Functions and types by schema, as Postgres itself says them, but for those of extensions. */
const DEFINITIONS = sql`SELECT p.pronamespace::regnamespace::text AS schema, p.proname::text AS name, pg_get_functiondef(p.oid) AS text FROM pg_proc p
  WHERE p.prokind = 'f' AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')
    AND p.pronamespace::regnamespace::text !~ '^(pg_|information_schema)'
  UNION ALL
  SELECT c.relnamespace::regnamespace::text, c.relname::text,
    (SELECT string_agg(a.attname || ' ' || format_type(a.atttypid, a.atttypmod), ', ' ORDER BY a.attnum) FROM pg_attribute a WHERE a.attrelid = c.oid)
  FROM pg_class c WHERE c.relkind = 'c' AND c.relnamespace::regnamespace::text !~ '^(pg_|information_schema)'
    AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')`

let runs = 0

/** Where the files and the database disagree. What the files say is created beside it, for Postgres to put both the same way. */
async function findDifferences(files: readonly Source[], strays: readonly string[] = retiringNames): Promise<string[]> {
  const { db }: BatchDatabase = app.deps
  runs += 1
  const schema = `scratch_${process.pid}_${runs}`
  const inSchema = (path: string) => db.execute(sql.raw(`SET LOCAL search_path = ${path}`))
  const create = (kind: string) => files.filter((file) => file.kind === kind).map(({ text }) => db.execute(sql.raw(text)))
  const results = await db.batch([
    db.execute(sql.raw(`CREATE SCHEMA ${schema}`)),
    db.execute(sql.raw(`CREATE SCHEMA ${schema}_types`)),
    inSchema(`${schema}_types`),
    ...create('TYPE'),
    inSchema(`${schema}, public`),
    ...create('FUNCTION'),
    db.execute(DEFINITIONS),
    inSchema('public'),
    db.execute(sql.raw(`DROP SCHEMA ${schema}, ${schema}_types CASCADE`)),
  ])
  // The statement that lists is the third from the end.
  const definitions: Definition[] = (results.at(-3)?.rows ?? []).map((row) => ({
    schema: String(row['schema']),
    name: String(row['name']),
    text: String(row['text']),
  }))
  const plain = ({ schema: own, text }: Definition) => text.replaceAll(`${own}.`, '')
  const present = new Map(definitions.filter((one) => one.schema === 'public').map((one) => [one.name, plain(one)]))
  const wanted = new Map(definitions.filter((one) => one.schema.startsWith(schema)).map((one) => [one.name, plain(one)]))
  return [
    ...[...wanted].filter(([name]) => !present.has(name)).map(([name]) => `${name} is in no migration`),
    ...[...wanted].filter(([name, text]) => present.has(name) && present.get(name) !== text).map(([name]) => `${name} differs`),
    ...[...present.keys()].filter((name) => !wanted.has(name) && !strays.includes(name)).map((name) => `${name} has no file`),
    ...strays.filter((name) => !present.has(name)).map((name) => `${name} is retired already`),
  ]
}

test('each function and type of the database is as its file has it, or retiring', async () => {
  expect(sources.length).toBeGreaterThan(15)
  expect(await findDifferences(sources)).toEqual([])
})

const mutate = (file: string, from: RegExp | string, to: string) =>
  sources.map((source) => (source.file === file ? toSource(file, source.text.replace(from, to)) : source))

test.each([
  { what: 'a body', files: mutate('read_window', 'known_until > now()', 'known_until >= now()'), says: `${FUNCTIONS.read_window} differs` },
  { what: 'a setting', files: mutate('find_evidence', 'SET enable_seqscan = off', ''), says: `${FUNCTIONS.find_evidence} differs` },
  { what: 'a column', files: mutate('sent_event', ', raw_line text', ''), says: /^sent_event_v\d+ differs$/ },
  { what: 'a version', files: mutate('life_key_of', 'life_key_of(', 'life_key_of_v99('), says: 'life_key_of_v99 is in no migration' },
  { what: 'a file', files: sources.filter(({ file }) => file !== 'epoch_ms'), says: `${FUNCTIONS.epoch_ms} has no file` },
])('$what that is changed is found', async ({ files, says }) => {
  expect((await findDifferences(files))[0]).toMatch(says)
})

test('a function that no line names is found, and a line that names none', async () => {
  expect(await findDifferences(sources, ['gone_v1', ...retiringNames.slice(1)])).toEqual([
    `${retiringNames[0]} has no file`,
    'gone_v1 is retired already',
  ])
})

test('a line of retiring.txt has a name, a day and what took its place', () => {
  expect(retiring.filter((line) => !/^\w+ \d{4}-\d{2}-\d{2} \S/.test(line))).toEqual([])
})

test('a file is named like what it creates, and begins with who calls it', () => {
  expect(sources.filter(({ file, name }) => name.replace(/_v\d+$/, '') !== file)).toEqual([])
  expect(sources.filter(({ text }) => !/^--[^\n]*\n(?:--[^\n]*\n)*CREATE /.test(text) || !/^-- (?:Called|Taken) by: /m.test(text))).toEqual(
    [],
  )
})

test('whoever calls a function calls its present version', () => {
  const current = new Set(sources.map(({ name }) => name))
  const spelled = sources.flatMap((source) => [...statementOf(source).matchAll(/\w+_v\d+\b/g)].map(([name]) => `${name} in ${source.file}`))
  expect(spelled.length).toBeGreaterThan(10)
  expect(spelled.filter((line) => !current.has(line.split(' ', 1).join('')))).toEqual([])
  expect(
    Object.entries(FUNCTIONS).filter(([file, name]) => !sources.some((source) => source.file === file && source.name === name)),
  ).toEqual([])
})

test('each function is called', () => {
  const callers = (name: string) => sources.filter((other) => other.name !== name && new RegExp(`\\b${name}\\b`).test(statementOf(other)))
  const called: readonly string[] = [...Object.keys(FUNCTIONS), ...BY_HAND]
  expect(sources.filter(({ file, name }) => !called.includes(file) && callers(name).length === 0).map(({ file }) => file)).toEqual([])
})

test('functions.ts alone spells a version', () => {
  const spells = readdirSync(SOURCES, { recursive: true, encoding: 'utf8' })
    .filter((file) => /\.tsx?$/.test(file))
    .filter((file) => {
      const text = readFileSync(new URL(file, SOURCES), 'utf8')
      return sources.some((source) => new RegExp(`\\b${source.file}_v\\d`).test(text))
    })
  expect(spells).toEqual(['store/functions.ts'])
})
