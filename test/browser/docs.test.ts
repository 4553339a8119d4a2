import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { AxeResults } from 'axe-core'
import { type Browser, chromium } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { listOperations, readApiDocument } from '../support/api-document.ts'
import { type DevFile, type DevServer, findFreePort, startDevServer } from '../support/dev-server.ts'
import { MANUAL } from '../support/manual.ts'

const SCREENS = fileURLToPath(new URL('../screens/', import.meta.url))
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

const state = mkdtempSync(join(tmpdir(), 'noctuary-docs-'))
let server: DevServer
let dev: DevFile
let browser: Browser

beforeAll(async () => {
  server = startDevServer(await findFreePort(), state)
  dev = await server.ready()
  browser = await chromium.launch({ executablePath: process.env['CHROMIUM'] ?? '/usr/bin/chromium', args: ['--no-sandbox'] })
})

afterAll(async () => {
  await browser?.close()
  server.child.kill('SIGTERM')
  await once(server.child, 'exit')
  rmSync(state, { recursive: true, force: true })
})

test('/docs/api shows every operation, asks nobody else, breaks no policy and sends a request', async () => {
  const page = await browser.newPage()
  const complaints: string[] = []
  const foreign: string[] = []
  page.on('console', (message) => void (message.type() === 'error' && complaints.push(message.text())))
  page.on('pageerror', (error) => void complaints.push(error.message))
  page.on(
    'request',
    (request) => void (/^(?!data:)/.test(request.url()) && !request.url().startsWith(dev.url) && foreign.push(request.url())),
  )

  await page.goto(`${dev.url}/docs/api`)
  await page.locator('.opblock').first().waitFor()
  const shown = await page
    .locator('.opblock-summary')
    .evaluateAll((rows) =>
      rows.map(
        (row) =>
          `${row.querySelector('.opblock-summary-method')?.textContent} ${row.querySelector('[data-path]')?.getAttribute('data-path')}`,
      ),
    )
  const expected = listOperations(readApiDocument()).map(({ method, path }) => `${method} ${path}`)
  expect(shown.toSorted()).toEqual(expected.toSorted())

  const health = page.locator('#operations-Health-getHealth')
  await health.locator('.opblock-summary-control').click()
  await health.getByRole('button', { name: 'Try it out' }).click()
  await health.getByRole('button', { name: 'Execute' }).click()
  await expect.poll(() => health.locator('.live-responses-table').textContent()).toContain('"postgres": "up"')
  expect([complaints, foreign]).toEqual([[], []])
})

test.each([
  { colorScheme: 'light' as const, width: 1280 },
  { colorScheme: 'dark' as const, width: 1280 },
  { colorScheme: 'light' as const, width: 320 },
  { colorScheme: 'dark' as const, width: 320 },
])('every page of the manual fits and passes axe: $colorScheme, $width px', async ({ colorScheme, width }) => {
  mkdirSync(SCREENS, { recursive: true })
  const context = await browser.newContext({ colorScheme, viewport: { width, height: 900 } })
  const page = await context.newPage()
  const complaints: string[] = []
  page.on('console', (message) => void (message.type() === 'error' && complaints.push(message.text())))
  page.on('request', (request) => void (request.url().startsWith(dev.url) || complaints.push(`asks ${request.url()}`)))
  for (const name of MANUAL.keys()) {
    await page.goto(`${dev.url}${name === 'index' ? '/docs' : `/docs/${name}`}`)
    await page.screenshot({ path: `${SCREENS}docs-${name}-${colorScheme}-${width}.png` })
    const [scripts, sideways] = (await page.evaluate(
      '[document.scripts.length, document.documentElement.scrollWidth - document.documentElement.clientWidth]',
    )) as readonly [number, number]
    await page.evaluate(AXE)
    const { violations } = (await page.evaluate('axe.run(document, { resultTypes: ["violations"] })')) as AxeResults
    const found = violations.map(({ id, nodes }) => [id, ...nodes.map(({ html }) => html)])
    expect({ name, scripts, found, sideways }).toEqual({ name, scripts: 0, found: [], sideways: 0 })
  }
  await context.close()
  expect(complaints).toEqual([])
})

test('the manual is read and followed without script', async () => {
  const context = await browser.newContext({ javaScriptEnabled: false })
  const page = await context.newPage()
  await page.goto(`${dev.url}/docs/connect`)
  await page.getByRole('navigation', { name: 'Manual' }).getByRole('link', { name: 'Events' }).click()
  await page.getByRole('heading', { level: 1, name: 'Events' }).waitFor()
  expect(new URL(page.url()).pathname).toBe('/docs/events')
  await context.close()
})
