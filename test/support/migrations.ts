import { cpSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MIGRATIONS_FOLDER } from '../../src/commands/migrations.ts'

/** A folder with the first `count` migrations, and one more of these statements. */
export function makeMigrations(count: number, statements: readonly string[] = []): string {
  const folder = mkdtempSync(join(tmpdir(), 'noctuary-migrations-'))
  cpSync(MIGRATIONS_FOLDER, folder, { recursive: true })
  const file = join(folder, 'meta/_journal.json')
  const journal = JSON.parse(readFileSync(file, 'utf8'))
  journal.entries = journal.entries.slice(0, count)
  if (statements.length > 0) {
    journal.entries.push({ ...journal.entries.at(-1), idx: count, when: Date.now() + 1, tag: '9999_more' })
    writeFileSync(join(folder, '9999_more.sql'), statements.join('\n--> statement-breakpoint\n'))
  }
  writeFileSync(file, JSON.stringify(journal))
  return folder
}
