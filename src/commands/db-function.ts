import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { CommandError } from './command-error.ts'

const HELP = `npm run db:function -- NAME... [--as WHAT_CHANGED]: puts functions of the database, as their files have them, into a new migration

  NAME             a file under drizzle/functions, without .sql. Several go into one migration, in that order: one that a
                   function of LANGUAGE sql calls, and a type, before whoever uses it
  --as NAME        what the migration is called; by default the first NAME

Each is created under the version after the highest in the migrations, and its file is rewritten to say so, as are the
others that are named where they call it. What the database has stays as it is, for the Worker that is still serving.
To change a migration that is not released yet, delete it (its .sql, its snapshot, its line of the journal) and run this again.`

/** How each migration begins: the role's timeout is for the Worker's statements. */
const WITHOUT_TIMEOUT = 'SET LOCAL statement_timeout = 0;'
const FUNCTIONS = 'drizzle/functions'
const MIGRATIONS = 'drizzle/migrations'

type Source = { readonly name: string; readonly text: string }

function main(): void {
  const { help, as, names } = readArguments()
  if (help) {
    console.log(HELP)
    return
  }
  if (names.length === 0) throw new CommandError('which function? --help shows how')
  if (new Set(names).size < names.length) throw new CommandError('each function is named once')
  const title = as ?? names[0] ?? ''
  if (!/^[a-z][a-z0-9_]*$/.test(title)) throw new CommandError(`a migration cannot be called "${title}": use a-z, 0-9 and _`)

  const sources = names.map(readSource)
  const migrations = listNames(MIGRATIONS, '.sql').map((name) => readFileSync(join(MIGRATIONS, `${name}.sql`), 'utf8'))
  const versions = new Map(names.map((name) => [name, findHighestVersion(name, migrations)]))
  const raised = sources.map(({ name, text }) => {
    const changed = setVersion(text, versions, (other, version) => (other === name ? version : nextVersion(version)))
    if (migrations.some((migration) => migration.includes(toStatement(changed))))
      throw new CommandError(`${name} is as the migrations have it: change ${FUNCTIONS}/${name}.sql first`)
    return { name, text: setVersion(text, versions, (_, version) => nextVersion(version)) }
  })

  const file = generateMigration(title)
  writeFileSync(file, `${[WITHOUT_TIMEOUT, ...raised.map(({ text }) => text.trim())].join('\n--> statement-breakpoint\n')}\n`)
  for (const { name, text } of raised) writeFileSync(join(FUNCTIONS, `${name}.sql`), text)
  report(file, raised, versions)
}

function readArguments() {
  try {
    const { values, positionals } = parseArgs({ allowPositionals: true, options: { help: { type: 'boolean' }, as: { type: 'string' } } })
    return { ...values, names: positionals }
  } catch (error) {
    throw new CommandError(error instanceof Error ? error.message : 'unreadable arguments')
  }
}

function listNames(folder: string, ending: string): string[] {
  try {
    const files = readdirSync(folder).sort()
    return files.filter((file) => file.endsWith(ending)).map((file) => file.slice(0, -ending.length))
  } catch {
    throw new CommandError(`there is no ${folder} here: run this at the top of the project`)
  }
}

function readSource(name: string): Source {
  const known = listNames(FUNCTIONS, '.sql')
  if (!known.includes(name)) throw new CommandError(`there is no ${FUNCTIONS}/${name}.sql; there are ${known.join(', ')}`)
  const text = readFileSync(join(FUNCTIONS, `${name}.sql`), 'utf8')
  const created = [...text.matchAll(/^CREATE (?:FUNCTION|TYPE) (\w+?)(?:_v\d+)?(?=\s*\(|\s+AS\b)/gm)].map(([, found]) => found)
  if (created.length !== 1 || created[0] !== name)
    throw new CommandError(`${FUNCTIONS}/${name}.sql has to create ${name}, by one CREATE FUNCTION or CREATE TYPE at the start of a line`)
  if (!text.startsWith('--')) throw new CommandError(`${FUNCTIONS}/${name}.sql begins with a comment: what it is for, who calls it`)
  return { name, text }
}

/** 0: without a version; `undefined`: in no migration yet. */
function findHighestVersion(name: string, migrations: readonly string[]): number | undefined {
  const created = new RegExp(`^CREATE (?:FUNCTION|TYPE) ${name}(?:_v(\\d+))?(?=\\s*\\(|\\s+AS\\b)`, 'gm')
  const versions = migrations.flatMap((migration) => [...migration.matchAll(created)].map(([, version]) => Number(version ?? 0)))
  return versions.length === 0 ? undefined : Math.max(...versions)
}

const nextVersion = (version: number | undefined): number => (version ?? 0) + 1

type Versions = ReadonlyMap<string, number | undefined>

/** The text with each name at a version, wherever it stands as a function, as a type or, with a version already, in words. */
function setVersion(
  text: string,
  versions: Versions,
  toVersion: (name: string, version: number | undefined) => number | undefined,
): string {
  let result = text
  for (const [name, highest] of versions) {
    const version = toVersion(name, highest)
    const versioned = version ? `${name}_v${version}` : name
    result = result.replace(new RegExp(`\\b${name}_v\\d+\\b|(?<=^(?!--).*)\\b${name}(?=[(.]|\\s+AS\\s*\\()`, 'gm'), versioned)
  }
  return result
}

/** A file without the comment at its head. */
const toStatement = (text: string): string => text.slice(text.search(/^CREATE /m)).trim()

/** An empty migration with its snapshot and its line of the journal. Answers its file. */
function generateMigration(title: string): string {
  const before = new Set(listNames(MIGRATIONS, '.sql'))
  const kit = ['node_modules/drizzle-kit/bin.cjs', 'generate', '--custom', '--config', 'drizzle/drizzle.config.ts', '--name', title]
  const { status, stdout, stderr } = spawnSync(process.execPath, kit, { encoding: 'utf8' })
  const made = listNames(MIGRATIONS, '.sql').filter((name) => !before.has(name))
  const [name] = made
  if (status !== 0 || name === undefined || made.length > 1) throw new CommandError(`drizzle-kit made no migration:\n${stdout}${stderr}`)
  return join(MIGRATIONS, `${name}.sql`)
}

function report(file: string, raised: readonly Source[], versions: Versions): void {
  const old = raised.flatMap(({ name }) => toVersionedName(name, versions.get(name)) ?? [])
  console.log(`wrote ${file}, which creates ${raised.map(({ name }) => toVersionedName(name, nextVersion(versions.get(name)))).join(', ')}`)
  console.log('Next:\n  src/store/functions.ts: call the new versions, where the Worker itself calls them')
  if (old.length > 0) console.log(`  ${FUNCTIONS}/retiring.txt: add ${old.join(', ')}, each with a day`)
  for (const name of listNames(FUNCTIONS, '.sql').filter((other) => !versions.has(other))) {
    const text = readFileSync(join(FUNCTIONS, `${name}.sql`), 'utf8')
    const called = old.filter((function_) => new RegExp(`\\b${function_}\\b`).test(toStatement(text)))
    if (called.length > 0) console.log(`  ${FUNCTIONS}/${name}.sql still calls ${called.join(', ')}: raise it too`)
  }
  console.log('  npm run db:migrate, and the tests in test/store/functions.test.ts')
}

function toVersionedName(name: string, version: number | undefined): string | undefined {
  if (version === undefined) return undefined
  return version === 0 ? name : `${name}_v${version}`
}

try {
  main()
} catch (error) {
  if (!(error instanceof CommandError)) throw error
  console.error(`npm run db:function: ${error.message}`)
  process.exitCode = 1
}
