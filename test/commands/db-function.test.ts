import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cp, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))

let folder: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'noctuary-functions-'))
  await cp(join(ROOT, 'drizzle'), join(folder, 'drizzle'), { recursive: true })
  for (const name of ['src', 'node_modules']) await symlink(join(ROOT, name), join(folder, name))
})

afterAll(() => rm(folder, { recursive: true }))

async function run(...args: readonly string[]) {
  const child = spawn(process.execPath, [join(ROOT, 'src/commands/db-function.ts'), ...args], { cwd: folder })
  const [out, error, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')])
  return { out, error, code }
}

const read = (path: string) => readFile(join(folder, 'drizzle', path), 'utf8')
const migrations = async () => (await readdir(join(folder, 'drizzle/migrations'))).filter((file) => file.endsWith('.sql'))

test('functions that were changed come under their next versions into one migration, and call each other so', async () => {
  const before = await migrations()
  const [type, caller] = [await read('functions/sent_event.sql'), await read('functions/ingest_event.sql')]
  await writeFile(join(folder, 'drizzle/functions/sent_event.sql'), type.replace(');', ', url text);'))
  const next = (file: string, name: string) => `${name}_v${Number(new RegExp(`${name}_v(\\d+)`).exec(file)?.[1]) + 1}`

  const { out, error, code } = await run('sent_event', 'ingest_event', '--as', 'urls_of_events')

  expect([error, code]).toEqual(['', 0])
  const [made = '', ...others] = (await migrations()).filter((file) => !before.includes(file))
  expect([made, others]).toEqual([expect.stringMatching(/^\d{4}_urls_of_events\.sql$/), []])
  const migration = await read(`migrations/${made}`)
  expect(migration).toContain(`CREATE TYPE ${next(type, 'sent_event')} AS (`)
  expect(migration).toContain(`CREATE FUNCTION ${next(caller, 'ingest_event')}(key_hash text, event ${next(type, 'sent_event')},`)
  expect(migration).toContain(await read('functions/ingest_event.sql').then((file) => file.trim()))
  expect(await read('migrations/meta/_journal.json')).toContain(made.slice(0, -4))
  expect(out).toContain('src/store/functions.ts')
  expect(out).toMatch(/retiring\.txt: add sent_event_v\d+, ingest_event_v\d+/)
})

test.each([
  { args: [], says: 'which function?' },
  { args: ['no_such'], says: 'there is no drizzle/functions/no_such.sql' },
  { args: ['epoch_ms'], says: 'epoch_ms is as the migrations have it' },
  { args: ['epoch_ms', 'epoch_ms'], says: 'named once' },
  { args: ['epoch_ms', '--as', '../up'], says: 'cannot be called' },
  { args: ['--wrong'], says: "Unknown option '--wrong'" },
])('$args is refused in one line, and nothing is written', async ({ args, says }) => {
  const before = await migrations()
  const { out, error, code } = await run(...args)
  expect([out, error.trim().split('\n').length, code]).toEqual(['', 1, 1])
  expect(error).toContain(says)
  expect(await migrations()).toEqual(before)
})

test('--help says how', async () => {
  expect((await run('--help')).out).toContain('NAME... [--as WHAT_CHANGED]')
})
