import { readdirSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'

const FOLDER = new URL('../../drizzle/migrations/', import.meta.url)

/** What the version of the Worker that is still serving may not survive. */
const BREAKING = [
  /\bDROP\s+(?:TABLE|COLUMN|CONSTRAINT|SCHEMA|TYPE)\b/i,
  /\bRENAME\b/i,
  // A column that may be empty from now on is written as before.
  /\bALTER\s+COLUMN\b(?!\s+\S+\s+DROP\s+NOT\s+NULL\b)/i,
  /\bADD\s+COLUMN\b(?![^;]*\bDEFAULT\b)[^;]*\bNOT\s+NULL\b/i,
  /(?<!BEFORE )\bTRUNCATE\b/i,
  /\bCREATE\s+OR\s+REPLACE\s+FUNCTION\b/i,
]

/** A key that gains a column with a default, in one transaction, is as unique as before to those who do not know of it. */
const HARMLESS = ['ALTER TABLE "incident_work" DROP CONSTRAINT "incident_work_incident_id_kind_number_pk";']

const breaking = (statement: string) => !HARMLESS.includes(statement) && BREAKING.some((pattern) => pattern.test(statement))

const statements = readdirSync(FOLDER)
  .filter((file) => file.endsWith('.sql'))
  .flatMap((file) =>
    readFileSync(new URL(file, FOLDER), 'utf8')
      .replace(/^--(?!>).*$/gm, '')
      .split('--> statement-breakpoint')
      .map((statement) => [file, statement.trim()] as const),
  )

test('the previous version goes on serving while each migration is applied', () => {
  expect(statements.length).toBeGreaterThan(20)
  expect(statements.filter(([, statement]) => breaking(statement))).toEqual([])
})

test('each migration may take longer than the role’s statements', () => {
  const first = new Map(statements.toReversed())
  const later = [...first].filter(([file]) => file >= '0014')
  expect(later.length).toBeGreaterThan(0)
  for (const [file, statement] of later) expect(statement, file).toBe('SET LOCAL statement_timeout = 0;')
})

test.each([
  'ALTER TABLE "a" DROP COLUMN "b";',
  'DROP TABLE a',
  'ALTER TABLE a RENAME TO b',
  'ALTER TABLE "a" ALTER COLUMN "b" SET NOT NULL;',
  'ALTER TABLE "a" ADD COLUMN "b" text NOT NULL;',
  'CREATE OR REPLACE FUNCTION f()',
])('%s would not be let through', (statement) => {
  expect(breaking(statement)).toBe(true)
})

test.each([
  'ALTER TABLE "a" ADD COLUMN "b" text;',
  `ALTER TABLE "a" ADD COLUMN "b" text DEFAULT '' NOT NULL;`,
  'ALTER TABLE "a" ALTER COLUMN "b" DROP NOT NULL;',
])('%s is', (statement) => {
  expect(breaking(statement)).toBe(false)
})
