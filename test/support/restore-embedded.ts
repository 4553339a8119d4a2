import { readFile } from 'node:fs/promises'
import { renumber } from '../../src/commands/migrations.ts'
import { openPglite } from '../stack/neon-http.ts'

// Restores a dump in plain SQL into the embedded Postgres, which is of another major version than the server that was dumped, in a
// process of its own: node restore-embedded.ts DUMP DIRECTORY. Prints its version and how many events got other numbers.
const [, , dump = '', directory = ''] = process.argv
const pglite = await openPglite(directory)
// psql's own commands are for psql.
await pglite.exec((await readFile(dump, 'utf8')).replace(/^\\.*$/gm, ''))
await pglite.exec('SET search_path = public')
const client = { query: async (text: string) => ({ rowCount: (await pglite.query(text)).affectedRows ?? null }) }
const { rows } = await pglite.query<{ server_version: string }>('SHOW server_version')
console.log(JSON.stringify({ version: rows[0]?.server_version, renumbered: await renumber(client) }))
await pglite.close()
