import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { AppError } from '../../../src/domain/errors.ts'
import { readAnswer, writeAnswer } from '../../../src/domain/incident/answer.ts'
import { readPattern, readSignature, writeSignature } from '../../../src/domain/incident/memory.ts'
import { readSnapshot, toDiagnosisInput, toSnapshot, writeSnapshot } from '../../../src/domain/incident/snapshot.ts'

type Row = { readonly name: string; readonly answer: string; readonly context_snapshot: string; readonly signature: string }

/** Rows as they were stored before versions were. */
const ROWS: readonly Row[] = JSON.parse(readFileSync(new URL('../../fixtures/stored-diagnoses.json', import.meta.url), 'utf8'))

const FORMS = [
  { kind: 'answer', column: 'answer', read: readAnswer, write: writeAnswer },
  { kind: 'context snapshot', column: 'context_snapshot', read: readSnapshot, write: writeSnapshot },
  { kind: 'signature', column: 'signature', read: readSignature, write: writeSignature },
] as const satisfies readonly { readonly column: keyof Row; readonly [field: string]: unknown }[]

/** Every path to a value in a document, its own fields first. */
function listPaths(value: unknown, path: readonly string[] = []): readonly (readonly string[])[] {
  if (typeof value !== 'object' || value === null) return [path]
  return [path, ...Object.entries(value).flatMap(([name, inner]) => listPaths(inner, [...path, name]))].filter(({ length }) => length > 0)
}

/** A document with one of its fields renamed. */
function rename(value: unknown, [name = '', ...rest]: readonly string[]): unknown {
  if (Array.isArray(value)) return value.map((each, index) => (String(index) === name ? rename(each, rest) : each))
  return Object.fromEntries(
    Object.entries(value ?? {}).map(([key, inner]) => {
      if (key !== name) return [key, inner]
      return rest.length === 0 ? [`${key}_`, inner] : [key, rename(inner, rest)]
    }),
  )
}

describe.each(FORMS)('a stored $kind', ({ kind, column, read, write }) => {
  test.each(ROWS)('from before versions is read to the byte: $name', (row) => {
    expect(JSON.stringify(read(JSON.parse(row[column])))).toBe(row[column])
  })

  test.each(ROWS)('has its version before its bytes, and reads as it was: $name', (row) => {
    const document = JSON.parse(row[column])
    // Each form is written from what it reads: which of them it is does not matter here.
    const text = (write as (document: unknown) => string)(read(document))
    expect(text).toBe(`{"v":1,${row[column].slice(1)}`)
    expect(read(JSON.parse(text))).toEqual(document)
  })

  test.each([2, 0, '1', null])('of version %j is refused as what a later release stored', (v) => {
    const refused = () => read({ v, ...JSON.parse(ROWS[0]?.[column] ?? '') })
    expect(refused).toThrow(AppError)
    expect(refused).toThrow(`this ${kind} was stored in a form`)
  })

  test.each([null, undefined, 'text', 5, [], {}])('is not %j', (value) => {
    expect(() => read(value)).toThrow(`a stored ${kind}`)
  })

  test('lacks none of its fields', () => {
    const document = JSON.parse(ROWS.at(-1)?.[column] ?? '')
    const fields = listPaths(document).filter((path) => !/^\d+$/.test(path.at(-1) ?? ''))
    expect(fields.length).toBeGreaterThan(5)
    for (const path of fields) expect(() => read(rename(document, path)), path.join('.')).toThrow('is not of its form')
  })
})

/** Causal patterns as they were read before versions were. */
const PATTERNS: readonly object[] = JSON.parse(readFileSync(new URL('../../fixtures/stored-patterns.json', import.meta.url), 'utf8'))

describe.each(PATTERNS)('a stored causal pattern', (pattern) => {
  test('is read with a version and without', () => {
    expect(readPattern(pattern)).toEqual(pattern)
    expect(readPattern({ v: 1, ...pattern })).toEqual(pattern)
  })

  test('of another version is refused as what a later release stored', () => {
    expect(() => readPattern({ v: 2, ...pattern })).toThrow(AppError)
    expect(() => readPattern({ v: 2, ...pattern })).toThrow('this causal pattern was stored in a form 2')
  })

  test('lacks none of its fields', () => {
    for (const path of listPaths(pattern)) expect(() => readPattern(rename(pattern, path)), path.join('.')).toThrow('is not of its form')
  })
})

/** What entries told not yet when the rows were stored. */
const LATER_FIELDS = '"environment":null,"url":null,"details":null,'

test.each(ROWS)('what the engine saw is read back whole: $name', (row) => {
  const readBack = JSON.stringify(toSnapshot(toDiagnosisInput(readSnapshot(JSON.parse(row.context_snapshot)))))
  expect(readBack.replaceAll(LATER_FIELDS, '')).toBe(row.context_snapshot)
})
