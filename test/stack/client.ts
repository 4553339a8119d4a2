import { mkdirSync, writeFileSync } from 'node:fs'
import { registerHooks } from 'node:module'
import { dirname, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { writeApiDescription } from '../../src/api-description.ts'

// openapi-typescript prints through the compiler's own printer, which TypeScript 7 does not have.
registerHooks({
  resolve: (specifier, context, nextResolve) => nextResolve(specifier === 'typescript' ? 'typescript-5' : specifier, context),
})
const { default: openapiTS, astToString } = await import('openapi-typescript')

const HELP = `npm run client [-- FILE]: TypeScript types of the API, for openapi-fetch and the like, into FILE (dist/api.d.ts)`

if (process.argv.includes('--help')) {
  console.log(HELP)
  process.exit(0)
}

const file = resolve(process.argv[2] ?? fileURLToPath(new URL('../../dist/api.d.ts', import.meta.url)))
mkdirSync(dirname(file), { recursive: true })
const nodes = await openapiTS(writeApiDescription())
writeFileSync(file, `// Generated from the API's description by npm run client. Do not edit.\n\n${astToString(nodes)}`)
console.log(`wrote ${file}`)
