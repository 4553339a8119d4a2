import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Browser, chromium } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { listOperations, readApiDocument } from '../support/api-document.ts'
import { type DevFile, type DevServer, findFreePort, startDevServer } from '../support/dev-server.ts'

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

test('/docs shows every operation, asks nobody else, breaks no policy and sends a request', async () => {
  const page = await browser.newPage()
  const complaints: string[] = []
  const foreign: string[] = []
  page.on('console', (message) => void (message.type() === 'error' && complaints.push(message.text())))
  page.on('pageerror', (error) => void complaints.push(error.message))
  page.on(
    'request',
    (request) => void (/^(?!data:)/.test(request.url()) && !request.url().startsWith(dev.url) && foreign.push(request.url())),
  )

  await page.goto(`${dev.url}/docs`)
  await page.locator('.opblock').first().waitFor()
  const shown = await page
    .locator('.opblock-summary')
    .evaluateAll((rows) =>
      rows.map(
        (row) =>
          `${row.querySelector('.opblock-summary-method')?.textContent} ${row.querySelector('[data-path]')?.getAttribute('data-path')}`,
      ),
    )
  const expected = listOperations(await readApiDocument()).map(({ method, path }) => `${method} ${path}`)
  expect(shown.toSorted()).toEqual(expected.toSorted())

  const health = page.locator('#operations-Health-getHealth')
  await health.locator('.opblock-summary-control').click()
  await health.getByRole('button', { name: 'Try it out' }).click()
  await health.getByRole('button', { name: 'Execute' }).click()
  await expect.poll(() => health.locator('.live-responses-table').textContent()).toContain('"postgres": "up"')
  expect([complaints, foreign]).toEqual([[], []])
})
