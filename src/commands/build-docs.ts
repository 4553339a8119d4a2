import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const ASSETS = fileURLToPath(new URL('../../dist/assets', import.meta.url))
const SWAGGER_UI = dirname(fileURLToPath(import.meta.resolve('swagger-ui-dist/package.json')))
const COPIED = ['swagger-ui.css', 'swagger-ui-bundle.js', 'LICENSE', 'NOTICE']

const PAGE = `<!doctype html>
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

// React sets style attributes through the DOM, which a policy does not forbid; markup may carry none.
const HEADERS = `/docs*
  Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'
  X-Content-Type-Options: nosniff
  X-Frame-Options: DENY
  Referrer-Policy: no-referrer
  Strict-Transport-Security: max-age=31536000; includeSubDomains
`

mkdirSync(join(ASSETS, 'docs'), { recursive: true })
for (const file of COPIED) copyFileSync(join(SWAGGER_UI, file), join(ASSETS, 'docs', file))
writeFileSync(join(ASSETS, 'docs', 'start.js'), START)
writeFileSync(join(ASSETS, 'docs.html'), PAGE)
writeFileSync(join(ASSETS, '_headers'), HEADERS)
