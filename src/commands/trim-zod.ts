import { cpSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

// zod's 50 languages are a fifth of the bundle, and no bundler can tell that nothing asks for them: this copy speaks English.
const ZOD = dirname(fileURLToPath(import.meta.resolve('zod/package.json')))
const COPY = fileURLToPath(new URL('../../dist/zod', import.meta.url))
const PARTS = ['index.js', 'v4/classic', 'v4/core', 'v4/locales/en.js']

rmSync(COPY, { recursive: true, force: true })
for (const part of PARTS) cpSync(join(ZOD, part), join(COPY, part), { recursive: true })
mkdirSync(join(COPY, 'v4/locales'), { recursive: true })
writeFileSync(join(COPY, 'v4/locales/index.js'), `export { default as en } from './en.js'\n`)
writeFileSync(join(COPY, 'package.json'), JSON.stringify({ type: 'module', sideEffects: false }))
