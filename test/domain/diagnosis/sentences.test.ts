import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { diagnose } from '../../../src/domain/diagnosis/diagnose.ts'
import { SHOP } from '../../support/diagnosis.ts'
import { later, tell } from '../../support/told.ts'
import { TOLD_ABSTENTIONS } from '../../support/told-abstentions.ts'
import { TOLD_CAUSES } from '../../support/told-causes.ts'
import { TOLD_SUSPECTS } from '../../support/told-suspects.ts'

const ROWS = [...TOLD_CAUSES, ...TOLD_SUSPECTS, ...TOLD_ABSTENTIONS]

test.each(ROWS)('tells of $name', ({ windows, rest, says }) => {
  expect(tell(diagnose({ ...SHOP, observedUntil: later(120), ...rest, windows }))).toEqual(says)
})

/** Where the engine's words are. */
const SPEAKING = ['sentences', 'reasons', 'advice', 'diagnose', 'components']

test.each(SPEAKING)('every word that %s.ts can say is said in a row', (file) => {
  const source = readFileSync(new URL(`../../../src/domain/diagnosis/${file}.ts`, import.meta.url), 'utf8')
  const said = ROWS.flatMap(({ says }) => says)
    .join('\n')
    .toLowerCase()
  const unsaid = listWords(source).filter((words) => !said.includes(words.toLowerCase()))

  expect(unsaid).toEqual([])
})

test('words are found in plain and nested texts, and not in comments, imports and errors', () => {
  const source = [
    "import { a } from 'some where.ts'",
    "// it's not said",
    `const b = \`one \${c ? \`two \${d('three "four"')} five\` : ""} six\``,
    "throw new Error('never said')",
    "const e = \"it's seven\" + 'key'",
  ].join('\n')

  expect(listWords(source)).toEqual(['one', 'two', 'three "four"', 'five', 'six', "it's seven"])
})

/** The fixed parts of what a source can say: of templates each, of plain texts those with more than a word. */
function listWords(source: string): readonly string[] {
  const code = source.replaceAll(/^import [^']*'[^']*'$|\/\*\*.*?\*\/|(?<=^|\s)\/\/.*?$|new Error\('.*?'\)/gms, '')
  const found: string[] = []
  readCode(code, 0, found)
  return found.map((words) => words.trim()).filter((words) => /\p{L}{2}/u.test(words))
}

/** Reads code up to a closing brace of its own; what it says goes to `found`. */
function readCode(code: string, from: number, found: string[]): number {
  let depth = 0
  for (let at = from; at < code.length; at += 1) {
    const char = code.charAt(at)
    if (char === '}' && depth === 0) return at
    depth += { '{': 1, '}': -1 }[char] ?? 0
    if (char === '`') at = readTemplate(code, at + 1, found)
    else if (char === "'" || char === '"') at = readText(code, at + 1, char, found)
  }
  return code.length
}

/** Reads a plain text up to its end. */
function readText(code: string, from: number, quote: string, found: string[]): number {
  const end = code.indexOf(quote, from)
  const text = code.slice(from, end)
  if (text.trim().includes(' ')) found.push(text)
  return end
}

/** Reads a template up to its end. */
function readTemplate(code: string, from: number, found: string[]): number {
  let current = found.push('') - 1
  for (let at = from; at < code.length; at += 1) {
    if (code.charAt(at) === '`') return at
    if (code.startsWith('${', at)) {
      at = readCode(code, at + 2, found)
      current = found.push('') - 1
    } else found[current] += code.charAt(at)
  }
  throw new Error('a template without an end')
}
