import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

// zod's 50 languages are a fifth of the bundle, and no bundler can tell that nothing asks for them, nor for its compiler and what
// reads and writes JSON Schema: whoever takes `z` as a whole has all of it. This copy speaks English, and has what is asked for.
const ZOD = dirname(fileURLToPath(import.meta.resolve('zod/package.json')))
const COPY = fileURLToPath(new URL('../../dist/zod', import.meta.url))
const PARTS = ['index.js', 'v4/classic', 'v4/core', 'v4/locales/en.js']
const LEFT_OUT = ['compile', 'from-json-schema', 'json-schema-generator', 'deep-partial']
const LISTS = ['v4/classic/external.js', 'v4/core/index.js']
const NAMES = /\b(?:INVALID|compile|withParser|ZodCompile\w+), /g

rmSync(COPY, { recursive: true, force: true })
for (const part of PARTS) cpSync(join(ZOD, part), join(COPY, part), { recursive: true })
mkdirSync(join(COPY, 'v4/locales'), { recursive: true })
writeFileSync(join(COPY, 'v4/locales/index.js'), `export { default as en } from './en.js'\n`)
for (const list of LISTS) {
  const lines = readFileSync(join(ZOD, list), 'utf8').split('\n')
  const kept = lines.filter((line) => !LEFT_OUT.some((name) => line.endsWith(`/${name}.js";`)))
  writeFileSync(join(COPY, list), kept.join('\n').replace(NAMES, ''))
}
writeFileSync(join(COPY, 'package.json'), JSON.stringify({ type: 'module', sideEffects: false }))
