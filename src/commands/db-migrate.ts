import { parseArgs } from 'node:util'
import { CommandError } from './command-error.ts'
import { connect, explain, readDatabaseUrl } from './connection.ts'
import { migrate, renumber, setRole } from './migrations.ts'

const HELP = `npm run db:migrate: brings the database that DATABASE_URL names to the migrations of this release

Each is a transaction of its own, and none keeps events waiting: what cannot have its lock at once lets go and tries again, and indexes
of tables that hold something are built beside readers and writers. Run it before the Worker that needs it is deployed; the one that
is serving goes on meanwhile. A run that was ended anywhere is gone on with by the next.

  --restored   after a dump was restored: gives events the numbers of transactions that this server knows, where the dump has later
               ones, so that their windows are remembered as before, and its role the settings that migrations make
  --quiet      says nothing unless something is wrong`

async function main(): Promise<void> {
  const { help, quiet, restored } = readArguments()
  if (help) return console.log(HELP)
  const url = readDatabaseUrl()
  const { hostname, pathname } = new URL(url)
  if (/-pooler\./.test(hostname))
    throw new CommandError(
      'DATABASE_URL names a pooler, which keeps no session: use the direct connection string, without "-pooler" in its host',
    )
  const say = (line: string) => {
    if (!quiet) console.log(line)
  }
  const client = await connect(url)
  client.on('notice', ({ severity, message }) => {
    if (severity === 'WARNING') console.error(`npm run db:migrate: warning: ${message}`)
  })
  try {
    const { applied, built, known } = await migrate(client, (line) => say(`  ${line}`))
    const where = `${hostname}${pathname}`
    if (applied.length + built.length === 0) say(`${where} has all ${known} migrations: nothing to do`)
    else say(`${where} has all ${known} migrations: ${applied.length} applied now, indexes built: ${built.length}`)
    if (restored) {
      await setRole(client)
      say(`${await renumber(client)} events have numbers of this server's transactions now`)
    }
  } finally {
    await client.end()
  }
}

function readArguments() {
  try {
    return parseArgs({ options: { help: { type: 'boolean' }, quiet: { type: 'boolean' }, restored: { type: 'boolean' } } }).values
  } catch (error) {
    throw new CommandError(error instanceof Error ? error.message : 'unreadable arguments')
  }
}

try {
  await main()
} catch (error) {
  console.error(`npm run db:migrate: ${explain(error)}`)
  process.exitCode = 1
}
