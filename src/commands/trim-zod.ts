import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { publish } from './publish.ts'

// zod's 50 languages are a fifth of the bundle, and no bundler can tell that nothing asks for them, nor for its compiler and what
// reads and writes JSON Schema: whoever takes `z` as a whole has all of it. This copy speaks English, and has what is asked for.
const ZOD = dirname(fileURLToPath(import.meta.resolve('zod/package.json')))
const PARTS = ['index.js', 'v4/classic', 'v4/core', 'v4/locales/en.js']
const LEFT_OUT = ['compile', 'from-json-schema', 'json-schema-generator', 'json-schema-processors', 'to-json-schema', 'deep-partial']
const LISTS = ['v4/classic/external.js', 'v4/core/index.js']
const SCHEMAS = 'v4/classic/schemas.js'
/** How a schema would tell itself as JSON Schema, which nothing asks for: `/openapi.json` is written by another library. */
const AS_JSON_SCHEMA = /^ *inst\._zod\.processJSONSchema = .*\n|^import .*to-json-schema\.js";\n/gm
const JSON_SCHEMA_METHODS = /\bcreate(?:Standard|To)JSONSchemaMethod\([^)]*\)(?:\(params\))?/g
const NAMES = /\b(?:INVALID|compile|withParser|ZodCompile\w+), /g

/** What takes all of a part, used or not, with all of its names. */
const WHOLE = /^export \* as (?:core|locales|coerce) from .*;\n|\b(?:regexes|util|toZod|prettifyError|treeifyError|memoizer), ?/gm
/** What nothing asks `z` for: its own functions for parsing, what was before version 4, and the names of the core. */
const UNASKED = /^export \* from "\.\/(?:parse|compat)\.js";\n|^export \{ globalRegistry, .*\n/gm

const SOURCES = fileURLToPath(new URL('..', import.meta.url))
const TAKEN = /\bz\.(\w+)/g
const EXPORTED = /^export (?:const|function) (\w+)|^export \{ \w+ as (\w+) \}/gm
/** All of the kinds of schemas, and the checks that are schemas' methods, too. */
const ALL_KINDS = /^export \* from "\.\/(?:schemas|checks)\.js";\n/gm

/** The kinds of schemas that the project's own files take of `z`: the whole of it is handed to what describes schemas. */
function listTaken(schemas: string): readonly string[] {
  const files = readdirSync(SOURCES, { recursive: true, encoding: 'utf8' }).filter((name) => /\.tsx?$/.test(name))
  const taken = new Set(files.flatMap((name) => [...readFileSync(join(SOURCES, name), 'utf8').matchAll(TAKEN)].map(([, kind]) => kind)))
  return [...schemas.matchAll(EXPORTED)].flatMap(([, own, renamed]) => own ?? renamed ?? []).filter((kind) => taken.has(kind))
}

publish('zod', (copy) => {
  for (const part of PARTS) cpSync(join(ZOD, part), join(copy, part), { recursive: true })
  mkdirSync(join(copy, 'v4/locales'), { recursive: true })
  writeFileSync(join(copy, 'v4/locales/index.js'), `export { default as en } from './en.js'\n`)
  for (const list of LISTS) {
    const lines = readFileSync(join(ZOD, list), 'utf8').split('\n')
    const kept = lines.filter((line) => !LEFT_OUT.some((name) => line.endsWith(`/${name}.js";`)))
    writeFileSync(join(copy, list), kept.join('\n').replace(NAMES, '').replace(WHOLE, ''))
  }
  const external = join(copy, 'v4/classic/external.js')
  const schemas = readFileSync(join(ZOD, SCHEMAS), 'utf8')
  const kinds = `export { ${listTaken(schemas).join(', ')} } from './schemas.js'\n`
  writeFileSync(external, kinds + readFileSync(external, 'utf8').replace(UNASKED, '').replace(ALL_KINDS, ''))
  writeFileSync(join(copy, SCHEMAS), schemas.replace(AS_JSON_SCHEMA, '').replace(JSON_SCHEMA_METHODS, 'undefined'))
  writeFileSync(join(copy, 'package.json'), JSON.stringify({ type: 'module', sideEffects: false }))
})
