import { globSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import ts from 'typescript-5'
import { expect, test } from 'vitest'

const SRC = fileURLToPath(new URL('../../src', import.meta.url))
/**
 * What is exponential shows at the first, what is quadratic at the last. Each step is short enough that what just escapes at one
 * length is found at the next within seconds: an expression cannot be interrupted.
 */
const LENGTHS = [24, 36, 60, 150, 500, 2_000, 16_000, 40_000]
/** A linear expression is done in a hundredth of that; processor time ticks in 4 ms on some machines. */
const MOST_MS = 40
const UNITS = [' ', 'a', 'A', '0', '-', '.', '/', '_', ':', '=', '"', '\\', '\n', 'a.', 'a-', '0.', 'a ', ' a', '-0', 'a=']
const TAILS = ['\0', ' !']

type Expression = { readonly where: string; readonly source: string; readonly flags: string }

function listExpressions(): Expression[] {
  const found = new Map<string, Expression>()
  for (const name of globSync('**/*.{ts,tsx}', { cwd: SRC })) {
    const file = ts.createSourceFile(name, readFileSync(`${SRC}/${name}`, 'utf8'), ts.ScriptTarget.Latest, true)
    const visit = (node: ts.Node): void => {
      if (ts.isRegularExpressionLiteral(node)) {
        const [, source = '', flags = ''] = /^\/(.*)\/([a-z]*)$/s.exec(node.text) ?? []
        const { line } = file.getLineAndCharacterOfPosition(node.getStart())
        found.set(node.text, { where: `${name}:${line + 1} ${node.text}`, source, flags })
      }
      ts.forEachChild(node, visit)
    }
    visit(file)
  }
  return [...found.values()]
}

/** Texts that may come before what is repeated: what the expression spells out. */
function listBeginnings(source: string): readonly string[] {
  const spelt = source
    .replaceAll(/\\[bBdDwWsSpPkux](?:\{[^}]*\})?|\[(?:\\.|[^\]\\])*\]|\(\?<?[=!:]|\{[\d,]*\}/g, '\0')
    .replaceAll(/\\(.)/g, '$1')
  return ['', ...new Set(spelt.split(/[\0^$*+?()|]+/).filter((text) => text.length > 0))].slice(0, 8)
}

/** Processor time of this thread: a busy machine changes nothing. */
function measure(expression: RegExp, text: string): number {
  const before = process.threadCpuUsage().user
  expression.lastIndex = 0
  text.replace(expression, '')
  return (process.threadCpuUsage().user - before) / 1_000
}

/** Texts that an expression of this source may be slow on, the short ones first. */
function* listTexts(source: string): Generator<{ readonly text: string; readonly parts: readonly [string, string, string] }> {
  const beginnings = listBeginnings(source)
  const units = [...new Set([...UNITS, ...beginnings.slice(1)])]
  const parts = beginnings.flatMap((before) => units.flatMap((unit) => TAILS.map((tail) => [before, unit, tail] as const)))
  for (const length of LENGTHS) {
    for (const [before, unit, tail] of parts) {
      yield { text: before + unit.repeat(Math.ceil(length / unit.length)) + tail, parts: [before, unit, tail] }
    }
  }
}

/** Beginning, repeated part and end of a text on which the expression takes more than proportionally to its length. */
function findHostile({ source, flags }: Omit<Expression, 'where'>): readonly [string, string, string] | undefined {
  const expression = new RegExp(source, flags)
  for (const { text, parts } of listTexts(source)) {
    // Once more, so that compiling and collecting are not counted.
    if (measure(expression, text) > MOST_MS && measure(expression, text) > MOST_MS) return parts
  }
  return undefined
}

test.each(['^\\s*a\\s*\\s*b$', '(a+)+$', '\\s+$', '^(.*)x(.*)y', 'user=[^;]*;.*=', '```\\s*([\\s\\S]*?)\\s*```'])(
  '%s is found out',
  (source) => {
    expect(findHostile({ source, flags: 'g' })).toBeDefined()
  },
)

test('no expression of the product takes more than proportionally to what it is given', () => {
  const expressions = listExpressions()
  expect(expressions.length).toBeGreaterThan(150)
  const hostile = expressions.flatMap((expression) => {
    const text = findHostile(expression)
    return text ? [`${expression.where} on ${JSON.stringify(text)}`] : []
  })
  expect(hostile).toEqual([])
})
