import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript-5'
import { leaveOutMembers } from './class-members.ts'
import { publish } from './publish.ts'

// Neon's driver is one file, most of it a client for WebSockets that nothing here asks for, and no bundler can tell: this copy
// holds what is reached from its HTTP client alone.
const DRIVER = fileURLToPath(import.meta.resolve('@neondatabase/serverless'))
const WANTED = ['neon', 'neonConfig', 'NeonDbError']

/** A declaration or statement of the file, the names in it, and those that it assigns. */
type Unit = {
  readonly name: string | undefined
  readonly text: string
  readonly reads: ReadonlySet<string>
  readonly writes: ReadonlySet<string>
}

function toUnit(name: string | undefined, node: ts.Node, text: string): Unit {
  const [reads, writes] = [new Set<string>(), new Set<string>()]
  const visit = (one: ts.Node): void => {
    if (ts.isIdentifier(one)) reads.add(one.text)
    const isAssignment = ts.isBinaryExpression(one) && one.operatorToken.kind === ts.SyntaxKind.EqualsToken
    if (isAssignment && ts.isIdentifier(one.left)) writes.add(one.left.text)
    ts.forEachChild(one, visit)
  }
  visit(node)
  return { name, text, reads, writes }
}

function toUnits(node: ts.Statement): Unit[] {
  if (ts.isVariableStatement(node))
    return node.declarationList.declarations.map((one) => toUnit(one.name.getText(), one, `var ${one.getText()};`))
  if (ts.isFunctionDeclaration(node)) return [toUnit(node.name?.text, node, node.getText())]
  return ts.isExpressionStatement(node) ? [toUnit(undefined, node, node.getText())] : []
}

function trim(text: string): string {
  const file = ts.createSourceFile('driver.js', text, ts.ScriptTarget.Latest, true, ts.ScriptKind.JS)
  const units = file.statements.flatMap(toUnits)
  const only = (what: string, isIt: (text: string) => boolean): string => {
    const [found, ...others] = units.filter((unit) => unit.name !== undefined && isIt(unit.text))
    if (found?.name === undefined || others.length > 0) throw new Error(`@neondatabase/serverless: where is ${what}?`)
    return found.name
  }
  const exported = new Map(
    [...text.slice(text.lastIndexOf('export{')).matchAll(/(?<![\w$])([\w$]+) as ([\w$]+)/g)].map(([, local = '', name = '']) => [
      name,
      local,
    ]),
  )
  const locals = WANTED.map((name) => exported.get(name) ?? '')
  // The client takes them from within, as one object: they are exported through the other client.
  const types = only('pg-types', (one) => /\bsetTypeParser\b/.test(one) && /\bbuiltins\b/.test(one))
  const stubs = new Map([
    // No statement of ours has bytes.
    [only('Buffer', (one) => /\bkMaxLength\b/.test(one)), '()=>({Buffer:class{}})'],
    // What the socket is, and how it hashes a password.
    [
      only('EventEmitter', (one) => /\bsetMaxListeners\b/.test(one) && /\bcaptureRejection|\bnewListener\b/.test(one)),
      '()=>({EventEmitter:class{}})',
    ],
    [only('SHA-256', (one) => /\b1779033703\b/.test(one)), '()=>{}'],
    // Neon answers in text.
    [only('what reads binary answers', (one) => /\bparsePrecisionBits\b/.test(one)), '()=>({init(){}})'],
    [only('what warns browsers', (one) => /Running SQL directly from the browser/.test(one)), '()=>{}'],
    [only('MD5', (one) => /\b_dataLength\b/.test(one) && /\bappendByteArray\b/.test(one)), '()=>{}'],
  ])

  const byName = new Map(units.map((unit) => [unit.name, unit]))
  const kept = new Set<Unit>()
  const wanted = [...locals, types]
  for (let name = wanted.pop(); name !== undefined; name = wanted.pop()) {
    const unit = byName.get(name)
    if (!unit || kept.has(unit)) continue
    kept.add(unit)
    if (!stubs.has(name)) wanted.push(...unit.reads)
    // What a part's own function sets up when it is first called.
    if (!unit.text.includes('=')) wanted.push(...units.flatMap((one) => (one.writes.has(unit.name ?? '') ? (one.name ?? []) : [])))
  }
  const isWanted = (name: string) => {
    const unit = byName.get(name)
    return unit === undefined || kept.has(unit)
  }
  const isKept = (unit: Unit) => (unit.name === undefined ? [...unit.reads].every(isWanted) : kept.has(unit))
  const lines = units.filter(isKept).map((unit) => {
    const stub = stubs.get(unit.name ?? '')
    return stub === undefined ? unit.text : `var ${unit.name}=${stub};`
  })
  return [...lines, `export{${WANTED.map((name, place) => `${locals[place]} as ${name}`).join()}};`, `export const types=${types}();`].join(
    '\n',
  )
}

/** The client's settings are static members of a socket that is never opened: without what such a socket does. */
const withoutSocket = (text: string): string =>
  leaveOutMembers(text, 'the socket of Neon’s driver', (member, { heritageClauses }) => {
    const isOfSocket = /\.EventEmitter$/.test(heritageClauses?.[0]?.getText() ?? '')
    return isOfSocket && !(ts.canHaveModifiers(member) && ts.getModifiers(member)?.some(({ kind }) => kind === ts.SyntaxKind.StaticKeyword))
  })

publish('neon', (copy) => {
  writeFileSync(join(copy, 'index.js'), withoutSocket(trim(readFileSync(DRIVER, 'utf8'))))
  writeFileSync(join(copy, 'package.json'), JSON.stringify({ type: 'module', sideEffects: false }))
})
