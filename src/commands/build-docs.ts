import { copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { writeApiDescription } from '../api-description.ts'
import { ASSETS as PAGE_ASSETS } from '../dashboard/assets.ts'
import { ICON } from '../dashboard/icon.ts'
import { STYLE } from '../dashboard/style.ts'
import { MANUAL_STYLE, renderForAssistants, renderManual } from './manual.ts'
import { publish } from './publish.ts'

const SOURCE = fileURLToPath(new URL('../docs', import.meta.url))
const NAMES = fileURLToPath(new URL('../../dist/dashboard', import.meta.url))
const SWAGGER_UI = dirname(fileURLToPath(import.meta.resolve('swagger-ui-dist/package.json')))
const COPIED = ['swagger-ui.css', 'swagger-ui-bundle.js', 'LICENSE', 'NOTICE']

const API_PAGE = `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>Noctuary API</title>
    <link rel="icon" href="data:,">
    <link rel="stylesheet" href="/docs/swagger-ui.css">
  </head>
  <body>
    <div id="docs"></div>
    <noscript>This page needs JavaScript; the same description is at <a href="/openapi.json">/openapi.json</a>.</noscript>
    <script src="/docs/swagger-ui-bundle.js"></script>
    <script src="/docs/start.js"></script>
  </body>
</html>
`

const START = `SwaggerUIBundle({
  url: '/openapi.json',
  dom_id: '#docs',
  deepLinking: true,
  defaultModelsExpandDepth: 0,
  validatorUrl: null,
})
`

const NOTHING_ELSE = "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
const MANUAL_POLICY = `default-src 'none'; style-src 'self'; img-src 'self'; ${NOTHING_ELSE}`
// React sets style attributes through the DOM, which a policy does not forbid; markup may carry none.
const API_POLICY = `default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; ${NOTHING_ELSE}`

const HEADERS = `/docs*
  Content-Security-Policy: ${MANUAL_POLICY}
  X-Content-Type-Options: nosniff
  X-Frame-Options: DENY
  Referrer-Policy: no-referrer
  Strict-Transport-Security: max-age=31536000; includeSubDomains
/docs/api
  ! Content-Security-Policy
  Content-Security-Policy: ${API_POLICY}
/docs/*.md
  Content-Type: text/markdown; charset=utf-8
/llms.txt
  Content-Type: text/plain; charset=utf-8
  X-Content-Type-Options: nosniff
/openapi.json
  Access-Control-Allow-Origin: *
  X-Content-Type-Options: nosniff
/dashboard/*
  Cache-Control: public, max-age=31536000, immutable
  X-Content-Type-Options: nosniff
`

const read = (name: string): string => readFileSync(join(SOURCE, name), 'utf8')
const sources = readdirSync(SOURCE)
  .filter((file) => file.endsWith('.md'))
  .map((file) => ({ name: file.slice(0, -'.md'.length), text: read(file) }))

const files = new Map<string, string>([
  ['_headers', HEADERS],
  ['llms.txt', renderForAssistants(read('llms.txt'), read('index.md'))],
  ['openapi.json', writeApiDescription()],
  ['docs/start.js', START],
  ['docs/api.html', API_PAGE],
  ['docs/icon.svg', ICON],
  ['docs/manual.css', STYLE + MANUAL_STYLE],
  ...sources.map(({ name, text }): [string, string] => [`docs/${name}.md`, text]),
  ...renderManual(sources).map(({ path, html }): [string, string] => [`${path.slice(1)}.html`, html]),
])

// What the dashboard's pages are made with is served like the manual: the Worker knows the names alone.
const PAGE_PATHS = Object.fromEntries(Object.entries(PAGE_ASSETS).map(([name, { path }]) => [name, { path }]))
publish('assets', (folder) => {
  const served = [...files, ...Object.values(PAGE_ASSETS).map(({ path, text }): [string, string] => [path, text])]
  for (const path of new Set(served.map(([path]) => dirname(join(folder, path))))) mkdirSync(path, { recursive: true })
  for (const [path, text] of served) writeFileSync(join(folder, path), text)
  for (const file of COPIED) copyFileSync(join(SWAGGER_UI, file), join(folder, 'docs', file))
})
mkdirSync(NAMES, { recursive: true })
writeFileSync(join(NAMES, 'assets.js'), `export const ASSETS = ${JSON.stringify(PAGE_PATHS)}\nexport const serveAssets = () => {}\n`)
