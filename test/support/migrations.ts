import { cpSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MIGRATIONS_FOLDER } from '../../src/commands/migrations.ts'

/** A folder with the first `count` migrations, and more of these statements: `9999_more`, `9999_more_1` and so on. */
export function makeMigrations(count: number, ...more: readonly (readonly string[])[]): string {
  const folder = mkdtempSync(join(tmpdir(), 'noctuary-migrations-'))
  cpSync(MIGRATIONS_FOLDER, folder, { recursive: true })
  const file = join(folder, 'meta/_journal.json')
  const journal = JSON.parse(readFileSync(file, 'utf8'))
  journal.entries = journal.entries.slice(0, count)
  const latest = journal.entries.at(-1)
  for (const [place, statements] of more.entries()) {
    const tag = place === 0 ? '9999_more' : `9999_more_${place}`
    journal.entries.push({ ...latest, idx: count + place, when: latest.when + 1 + place, tag })
    writeFileSync(join(folder, `${tag}.sql`), statements.join('\n--> statement-breakpoint\n'))
  }
  writeFileSync(file, JSON.stringify(journal))
  return folder
}
