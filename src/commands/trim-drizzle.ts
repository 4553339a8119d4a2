import { cpSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { ClassElement } from 'typescript-5'
import { leaveOutMembers } from './class-members.ts'
import { publish } from './publish.ts'

// Drizzle's database has a builder for every kind of query, and no bundler can tell that all of ours are written as SQL. In this
// copy the builders, relations and columns are names of nothing, and what builds or migrates in its dialect is left out.
const DRIZZLE = dirname(fileURLToPath(import.meta.resolve('drizzle-orm')))
const PARTS = ['cache', 'neon-http', 'pg-core', 'query-builders', 'sql']
const LEFT_OUT = ['pg-core/query-builders', 'pg-core/columns', 'query-builders']
const LEFT_OUT_FILES = ['relations.js', 'selection-proxy.js', 'alias.js']
/** The dialect, and what of it no statement that is written as SQL asks for. */
const DIALECT = 'pg-core/dialect.js'
const UNASKED = /^(?:build|migrate)/
/** What `execute` answers with. */
const KEPT = 'raw.js'
const EXPORTS = /export \{([^{}]*)\}(?! from)/g

const isScript = (name: string) => name.endsWith('.js')

/** What a module exports, each as a function that does nothing, and a class of nothing. */
function toNothing(text: string): string {
  const names = [...text.matchAll(EXPORTS)].flatMap(([, list = '']) => list.split(',').map((one) => one.trim().replace(/^.* as /, '')))
  const classes = names.filter(Boolean).map((name) => `export const ${name} = /* @__PURE__ */ nothing('${name}')`)
  return `const nothing = (name) => Object.assign(function () {}, { [Symbol.for('drizzle:entityKind')]: name })\n${classes.join('\n')}\n`
}

publish('drizzle', (copy) => {
  for (const part of PARTS) {
    cpSync(join(DRIZZLE, part), join(copy, part), { recursive: true, filter: (path) => isScript(path) || !/\.\w+$/.test(path) })
  }
  for (const name of readdirSync(DRIZZLE).filter(isScript)) cpSync(join(DRIZZLE, name), join(copy, name))
  const files = LEFT_OUT.flatMap((folder) =>
    readdirSync(join(copy, folder))
      .filter((name) => isScript(name) && name !== 'index.js' && name !== KEPT)
      .map((name) => join(folder, name)),
  )
  for (const file of [...LEFT_OUT_FILES, ...files]) writeFileSync(join(copy, file), toNothing(readFileSync(join(copy, file), 'utf8')))
  const dialect = readFileSync(join(copy, DIALECT), 'utf8')
  const isUnasked = ({ name }: ClassElement) => name !== undefined && UNASKED.test(name.getText())
  writeFileSync(join(copy, DIALECT), leaveOutMembers(dialect, 'Drizzle’s dialect', isUnasked))
  writeFileSync(join(copy, 'package.json'), JSON.stringify({ type: 'module', main: 'index.js', sideEffects: false }))
})
// Of the project's own manifest the Worker tells the version alone.
const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))
writeFileSync(new URL('../../dist/manifest.json', import.meta.url), JSON.stringify({ version }))
