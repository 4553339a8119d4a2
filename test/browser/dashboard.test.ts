import { mkdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import type { AxeResults } from 'axe-core'
import { type Browser, type BrowserContext, type BrowserContextOptions, chromium, type Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { DOORS } from '../../src/domain/doors/index.ts'
import { toId } from '../../src/domain/ids.ts'
import { signVerdictLink, type VerdictLink } from '../../src/domain/telling/verdict-link.ts'
import { createTestTenant, makeEvent } from '../support/app.ts'
import { connectReceiver, newPath, toUrl } from '../support/receivers.ts'
import { openShop, type Shop } from '../support/shop.ts'
import { serveSite, startSite } from '../support/site.ts'

const SCREENS = fileURLToPath(new URL('../screens/', import.meta.url))
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
const DESKTOP = { width: 1280, height: 900 }
const NARROW = { width: 320, height: 640 }
const PHONE = { width: 390, height: 844 }
const WALL = { width: 3840, height: 2160 }

const site = startSite()
let shop: Shop
let url: string
let stop: () => void
let browser: Browser
const contexts: BrowserContext[] = []
const complaints: string[] = []

beforeAll(async () => {
  mkdirSync(SCREENS, { recursive: true })
  shop = await openShop(site.app)
  ;({ url, stop } = await serveSite(site))
  browser = await chromium.launch({ executablePath: process.env['CHROMIUM'] ?? '/usr/bin/chromium', args: ['--no-sandbox'] })
})

afterAll(async () => {
  await browser?.close()
  stop?.()
})

afterEach(async () => {
  for (const context of contexts.splice(0)) await context.close()
  expect(complaints.splice(0)).toEqual([])
})

/** A new window, whose every complaint and foreign request fails the test. */
async function open(options: BrowserContextOptions = {}): Promise<Page> {
  const context = await browser.newContext({ viewport: DESKTOP, ...options })
  contexts.push(context)
  const page = await context.newPage()
  page.on('console', (message) => void (message.type() === 'error' && complaints.push(message.text())))
  page.on('pageerror', (error) => void complaints.push(error.message))
  page.on('request', (request) => void (request.url().startsWith(url) || complaints.push(`asks ${request.url()}`)))
  return page
}

async function signIn(page: Page, key = shop.tenant.readonlyKey, path = '/'): Promise<void> {
  await page.goto(`${url}${path}`)
  await page.getByLabel('Read-only API key').fill(key)
  await page.getByRole('button', { name: 'Sign in' }).click()
  await page.getByRole('heading', { level: 1 }).waitFor()
}

const heading = (page: Page) => page.getByRole('heading', { level: 1 }).textContent()

async function openIncident(page: Page): Promise<void> {
  await page.getByRole('link', { name: 'checkout: error rate above 5 %' }).click()
  await page.getByRole('heading', { name: 'From the change to the alert' }).waitFor()
}

/** The pages of the shop by name, and how to get to those whose address has an id. */
async function listPages(page: Page): Promise<Readonly<Record<string, string>>> {
  const hrefOf = (name: RegExp | string) => page.getByRole('link', { name }).first().getAttribute('href')
  await page.goto(`${url}/incidents`)
  const incident = await hrefOf('checkout: error rate above 5 %')
  await page.goto(`${url}/services`)
  const service = await hrefOf(/^payment-service$/)
  await page.goto(`${url}/settings/integrations`)
  const integration = await hrefOf(/^PagerDuty$/)
  return {
    incidents: '/incidents',
    'incidents-filtered': '/incidents?status=confirmed&service=nothing',
    incident: `${incident}`,
    changes: '/changes',
    'changes-filtered': '/changes?service=payment&type=deploy',
    search: '/search?q=pay',
    'search-nothing': '/search?q=nothing-of-that-name',
    services: '/services',
    service: `${service}`,
    'service-json': `${service}?view=json`,
    connect: '/connect',
    'connect-github': '/connect/github',
    agents: '/agents',
    agent: `/agents/${shop.agentId}`,
    keys: '/settings/keys',
    people: '/settings/people',
    maintenance: '/settings/maintenance',
    integrations: '/settings/integrations',
    integration: `${integration}`,
    quality: '/settings/quality',
    audit: '/settings/audit',
    start: '/start',
    'not-found': '/settings/nowhere',
  }
}

async function findViolations(page: Page): Promise<unknown[]> {
  await page.evaluate(AXE)
  const results = (await page.evaluate('axe.run(document, { resultTypes: ["violations"] })')) as AxeResults
  return results.violations.map(({ id, nodes }) => [id, nodes.map(({ html, failureSummary }) => `${html.slice(0, 200)} ${failureSummary}`)])
}

const overflow = (page: Page) => page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)

test.each([
  { colorScheme: 'light' as const, viewport: DESKTOP, shown: DESKTOP },
  { colorScheme: 'dark' as const, viewport: DESKTOP, shown: DESKTOP },
  { colorScheme: 'light' as const, viewport: NARROW, shown: PHONE },
  { colorScheme: 'dark' as const, viewport: NARROW, shown: PHONE },
])(
  'every page passes axe, fits and is pictured: $colorScheme, $viewport.width px',
  { timeout: 180_000 },
  async ({ colorScheme, viewport, shown }) => {
    const page = await open({ colorScheme, viewport, reducedMotion: 'reduce' })
    const check = async (name: string) => {
      expect([name, await findViolations(page)]).toEqual([name, []])
      expect([name, await overflow(page)]).toEqual([name, 0])
      await page.setViewportSize(shown)
      expect([name, shown.width, await overflow(page)]).toEqual([name, shown.width, 0])
      await page.screenshot({ path: `${SCREENS}${name}-${colorScheme}-${shown.width}.png`, fullPage: true })
      await page.setViewportSize(viewport)
    }
    await page.goto(`${url}/signin`)
    await check('sign-in')
    await signIn(page)
    for (const [name, path] of Object.entries(await listPages(page))) {
      await page.goto(`${url}${path}`)
      await check(name)
      if (name === 'not-found') complaints.splice(0)
    }
  },
)

test('a wall screen is filled with larger letters and nothing to scroll', async () => {
  const page = await open({ viewport: WALL })
  await signIn(page)
  await openIncident(page)
  expect(await overflow(page)).toBe(0)
  expect(await page.evaluate(() => Number.parseFloat(getComputedStyle(document.body).fontSize))).toBeGreaterThan(20)
})

test('an engineer signs in, reads the timeline, confirms the answer and filters', async () => {
  const page = await open({ timezoneId: 'Asia/Tokyo' })
  await signIn(page, shop.tenant.readonlyKey, '/incidents?status=active')
  expect(new URL(page.url()).search).toBe('?status=active')
  await openIncident(page)
  const times = await page.locator('time[data-local]').allTextContents()
  expect(times[0]).toMatch(/^\d\d:\d\d:\d\d local, \d\d:\d\d:\d\d UTC$/)
  expect(times.filter((text) => text.includes('local'))).toHaveLength(1)
  const picture = page.getByRole('group', { name: /From the change to the alert/ })
  expect(await picture.locator('.lane').count()).toBeGreaterThan(2)
  expect(await picture.locator('a.mark').count()).toBeGreaterThan(5)
  expect(await page.getByRole('table').getByRole('row').count()).toBe(9)

  await picture
    .getByRole('link', { name: /reports errors|time out|failing calls/ })
    .first()
    .focus()
  await page.keyboard.press('Enter')
  await page.waitForURL(/#s\d+$/)
  await page.getByRole('button', { name: 'Yes' }).click()
  await page.getByText('Marked as confirmed').waitFor()
  await page.getByRole('button', { name: 'Undo “yes”' }).click()
  await page.getByText('taken back').waitFor()
  await page.getByRole('button', { name: 'No, something else' }).click()
  await page.getByText('Marked as wrong').waitFor()

  await page.getByRole('link', { name: 'Incidents', exact: true }).first().click()
  await page.getByLabel('Verdict').selectOption('Marked wrong')
  await page.getByLabel('Title or service contains').fill('checkout')
  await page.getByRole('button', { name: 'Filter' }).click()
  await page.getByRole('heading', { name: 'What was blamed is not to blame' }).waitFor()
  expect(await page.locator('.incident').count()).toBe(1)
  await page.getByLabel('Title or service contains').fill('storefront')
  await page.getByRole('button', { name: 'Filter' }).click()
  await page.getByRole('heading', { name: 'No incident matches' }).waitFor()

  await page.goto(`${url}/settings/quality`)
  await page.getByText('The figures').click()
  await page.getByRole('img', { name: /How often answers were right/ }).waitFor()

  await page.goto(`${url}/incidents`)
  await openIncident(page)
  await page.getByRole('button', { name: 'Undo “wrong”' }).click()
  await page.getByText('taken back').waitFor()
})

test('an agent’s log is paged through, page by page, without a gap while events arrive', async () => {
  const page = await open()
  await signIn(page, shop.tenant.readonlyKey, `/agents/${shop.agentId}?limit=50`)
  const keys = await page.request.get(`${url}/v1/agents/${shop.agentId}?limit=100`, {
    headers: { Authorization: `Bearer ${shop.tenant.readonlyKey}` },
  })
  const first: { events: { received_at: string }[]; next_cursor: string | null } = await keys.json()
  expect(first.next_cursor).not.toBeNull()

  const seen: string[] = []
  const collect = async () => seen.push(...(await page.locator('tbody tr').allTextContents()))
  await collect()
  while ((await page.getByRole('link', { name: 'Older' }).count()) > 0) {
    await site.app.request('/v1/events', { key: shop.tenant.ingestKey, body: makeEvent({ service_name: 'late' }) })
    await page.getByRole('link', { name: 'Older' }).click()
    await page.waitForLoadState()
    await collect()
  }
  expect(seen.length).toBeGreaterThan(100)
  expect(seen.filter((row) => row.includes('late'))).toEqual([])
  await page.getByRole('link', { name: 'First page' }).click()
  await page.getByLabel('Vendor').fill('flagd')
  await page.getByLabel('Per page').selectOption('10')
  await page.getByRole('button', { name: 'Filter' }).click()
  await page.waitForURL(/vendor=flagd/)
  expect(await page.locator('tbody tr').count()).toBe(10)
  expect((await page.locator('tbody tr').allTextContents()).every((row) => row.includes('flagd'))).toBe(true)
})

test('a key is made, copied, and revoked after a second thought', async () => {
  const page = await open({ permissions: ['clipboard-read', 'clipboard-write'] })
  await signIn(page, shop.tenant.readonlyKey, '/settings/keys')
  await page.getByLabel('Read-only').check()
  await page.getByLabel('Name').fill('night shift')
  await page.getByRole('button', { name: 'Make the key' }).click()
  const key = (await page.locator('.secret code').textContent()) ?? ''
  expect(key).toMatch(/^noc_ro_/)
  await page.getByRole('button', { name: 'Copy the key' }).click()
  await page.getByText('Copied').waitFor()
  expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(key)
  const use = () => site.app.request('/v1/services', { key })
  expect((await use()).status).toBe(200)

  await page.getByRole('link', { name: 'Done' }).click()
  expect(await page.content()).not.toContain(key)
  const row = page.getByRole('row', { name: /night shift/ })
  await row.getByText(`Revoke ${key.slice(-4)}`).click()
  await row.getByRole('button', { name: 'Revoke for good' }).click()
  await page.getByText('The key is revoked').waitFor()
  expect((await use()).status).toBe(401)
})

test('a pager is connected, its URL rotated, its secrets kept from view, and it is deleted', async () => {
  const { readonlyKey } = await createTestTenant(site.app)
  const page = await open()
  await signIn(page, readonlyKey, '/settings/integrations')
  await page.locator('[aria-labelledby="connect-pagerduty"]').getByRole('button', { name: 'Connect' }).click()
  const webhook = async () => (await page.locator('[data-copy="the webhook URL"] code').textContent()) ?? ''
  const before = await webhook()
  expect(before).toMatch(new RegExp(`^${url}/webhooks/pagerduty/tok_`))
  await page.getByLabel('Webhook secret').fill('whsec-of-the-browser')
  await page.getByLabel('Notes are posted as').fill('oncall@acme.example')
  await page.getByLabel('Services', { exact: true }).fill('PIJ90N7 = payments-api')
  await page.getByRole('button', { name: 'Save' }).click()
  await page.getByText('The integration is saved').waitFor()
  expect(await page.getByLabel('Services', { exact: true }).inputValue()).toBe('PIJ90N7 = payments-api')
  expect(await page.content()).not.toContain('whsec-of-the-browser')

  await page.getByText('Rotate the URL').click()
  await page.getByRole('button', { name: 'Rotate now' }).click()
  await page.getByText('another webhook URL').waitFor()
  expect(await webhook()).not.toBe(before)
  await page.getByText('Delete', { exact: true }).click()
  await page.getByRole('button', { name: 'Delete for good' }).click()
  await page.getByRole('heading', { name: 'No pager is connected' }).waitFor()
})

/** Paths of links as messages about a new answer have them, by what they give. */
async function openVerdictLinks(expiresAt: Date) {
  const tenant = await createTestTenant(site.app)
  const { id: integrationId } = await connectReceiver(site.app, tenant, 'slack', { url: toUrl(newPath('slack')) })
  await site.app.request('/v1/events', { key: tenant.ingestKey, body: makeEvent({ old_value: 'f8b3e22', new_value: 'a4f2c1' }) })
  const title = `<b>Errors</b> ${'and-no-space-to-break-at'.repeat(8)}`
  const asked = await site.app.request('/v1/incidents', { key: tenant.readonlyKey, body: { service: 'checkout', title } })
  await site.app.settle()
  const { id: incidentId }: { id: string } = await asked.json()
  const sign = async (verdict: VerdictLink['verdict']) =>
    await signVerdictLink(site.app.deps.linkSecret ?? '', {
      tenantId: tenant.tenantId,
      incidentId: toId<VerdictLink['incidentId']>(incidentId),
      target: toId<VerdictLink['target']>(integrationId),
      number: 1,
      verdict,
      expiresAt,
    })
  return { confirm: `${url}/verdicts/${await sign('confirmed')}`, reject: `${url}/verdicts/${await sign('rejected')}` }
}

test.each(['light' as const, 'dark' as const])(
  'a link in a message asks once, without a session or a script, and every page of it passes axe and fits: %s',
  async (colorScheme) => {
    const inAnHour = await openVerdictLinks(new Date(Date.now() + 3_600_000))
    const expired = await openVerdictLinks(new Date(Date.now() - 1_000))
    const plain = await open({ colorScheme, javaScriptEnabled: false, viewport: PHONE })
    const shown = await open({ colorScheme, viewport: NARROW })
    const check = async (name: string, address: string) => {
      await shown.goto(address)
      expect([name, await findViolations(shown), await overflow(shown)]).toEqual([name, [], 0])
      await shown.screenshot({ path: `${SCREENS}verdict-${name}-${colorScheme}.png`, fullPage: true })
    }
    for (const [address, question, button] of [
      [inAnHour.confirm, 'Was this answer right?', 'Confirm the answer'],
      [inAnHour.reject, 'Was this answer wrong?', 'Reject the answer'],
    ] as const) {
      await check('asks', address)
      await plain.goto(address)
      expect(await heading(plain)).toBe(question)
      expect(await plain.getByRole('button').allTextContents()).toEqual([button])
      await plain.getByRole('button').click()
      await plain.getByRole('heading', { name: 'This link was used' }).waitFor()
      await check('used', address)
      expect([await heading(shown), await shown.getByRole('button').count()]).toEqual(['This link was used', 0])
    }
    await check('expired', expired.confirm)
    expect([await heading(shown), await shown.getByRole('button').count()]).toEqual(['This link has expired', 0])
    await check('foreign', `${url}/verdicts/${'x'.repeat(120)}`)
    expect(await heading(shown)).toBe('This link leads nowhere')
    // The browser itself says that the last two were refused.
    expect(complaints.splice(0).filter((complaint) => !/status of (?:404|410)/.test(complaint))).toEqual([])
  },
)

test('a webhook’s secret is shown once when it is made, and once more when another takes its place', async () => {
  const { readonlyKey } = await createTestTenant(site.app)
  const page = await open()
  await signIn(page, readonlyKey, '/settings/integrations')
  await page.locator('[aria-labelledby="connect-webhook"]').getByRole('button', { name: 'Connect' }).click()
  const secret = page.locator('.secret code')
  const first = await secret.textContent()
  await page.getByRole('link', { name: 'Go on' }).click()
  await page.getByText('Rotate the secret').click()
  await page.getByRole('button', { name: 'Rotate now' }).click()
  await page.getByRole('heading', { name: 'The webhook’s secret' }).waitFor()
  expect([first, await secret.textContent()]).toEqual([expect.stringMatching(/^whsec_/), expect.stringMatching(/^whsec_/)])
  expect(await secret.textContent()).not.toBe(first)
  expect(await findViolations(page)).toEqual([])
})

test('without scripts everything works all the same', async () => {
  const page = await open({ javaScriptEnabled: false })
  await signIn(page)
  await openIncident(page)
  await page.getByRole('button', { name: 'Yes' }).click()
  await page.getByText('Marked as confirmed').waitFor()
  await page.getByRole('link', { name: 'Services', exact: true }).click()
  await page.getByRole('link', { name: 'payment-service', exact: true }).click()
  await page.getByLabel('What is wrong').fill('slow payments')
  await page.getByRole('button', { name: 'Diagnose now' }).click()
  await page.getByRole('heading', { name: 'slow payments' }).waitFor()
  await page.getByText('Resolve', { exact: true }).click()
  await page.getByRole('button', { name: 'Mark as resolved' }).click()
  await page.getByText('The incident is resolved').waitFor()
  expect(await page.getByRole('button', { name: /^Copy/ }).count()).toBe(0)
  await page.getByRole('button', { name: 'Sign out' }).click()
  await page.getByText('You are signed out').waitFor()
  await page.goto(`${url}/services`)
  expect(await heading(page)).toBe('Sign in')
})

test('by keyboard alone: skip to the content, sign in, open an incident', async () => {
  const page = await open()
  await page.goto(`${url}/signin`)
  expect(await page.evaluate(() => document.activeElement?.id)).toBe('key')
  await page.keyboard.type(shop.tenant.readonlyKey)
  await page.keyboard.press('Enter')
  await page.getByRole('heading', { name: 'Incidents', exact: true }).waitFor()
  await page.keyboard.press('Tab')
  expect(await page.evaluate(() => document.activeElement?.textContent?.trim())).toBe('Skip to content')
  await page.keyboard.press('Enter')
  await expect.poll(() => new URL(page.url()).hash).toBe('#main')
  const reached: string[] = []
  for (let steps = 0; steps < 12 && !reached.includes('checkout: error rate above 5 %'); steps += 1) {
    await page.keyboard.press('Tab')
    reached.push((await page.evaluate(() => document.activeElement?.textContent?.trim())) ?? '')
    const width = await page.evaluate(() => getComputedStyle(document.activeElement ?? document.body).outlineWidth)
    expect(Number.parseFloat(width)).toBeGreaterThanOrEqual(2)
  }
  await page.keyboard.press('Enter')
  await page.getByRole('heading', { name: 'From the change to the alert' }).waitFor()
})

test('a slash is a search from anywhere, and arrows choose among what it finds', async () => {
  const page = await open()
  await signIn(page, shop.tenant.readonlyKey, '/changes')
  await page.keyboard.press('/')
  await page.keyboard.type('paym')
  await page.keyboard.press('Enter')
  await page.getByRole('heading', { name: 'Search: paym' }).waitFor()
  const focused = () => page.evaluate(() => document.activeElement?.textContent)
  await page.keyboard.press('ArrowDown')
  expect(await focused()).toMatch(/^ ?payment-service/)
  await page.keyboard.press('ArrowDown')
  await page.keyboard.press('ArrowUp')
  await page.keyboard.press('Enter')
  await page.getByRole('heading', { name: 'payment-service', level: 1 }).waitFor()
})

test('the first event turns the first steps green, by itself', { timeout: 60_000 }, async () => {
  const { ingestKey, readonlyKey } = await createTestTenant(site.app)
  const page = await open()
  await signIn(page, readonlyKey, '/start')
  await page.getByRole('heading', { name: 'Getting started' }).waitFor()
  expect(await page.locator('[data-copy] code').allTextContents()).toEqual(
    expect.arrayContaining([expect.stringContaining(`${url}/v1/events`)]),
  )
  expect(await page.getByText('The first event has arrived').count()).toBe(0)
  await site.app.request('/v1/events', { key: ingestKey, body: makeEvent() })
  await page.locator('.notice').getByText('The first event has arrived').waitFor({ timeout: 30_000 })
})

test('what events say does nothing', async () => {
  const { ingestKey, readonlyKey } = await createTestTenant(site.app)
  const hostile = '<img src=x onerror="document.title=1"><script>document.title=2</script>'
  const event = makeEvent({ service_name: hostile, entity: hostile, new_value: hostile, actor: hostile, vendor: hostile })
  await site.app.request('/v1/events', { key: ingestKey, body: event })
  const page = await open()
  await signIn(page, readonlyKey, '/services')
  await page.getByRole('link', { name: '<img' }).click()
  await page.getByRole('button', { name: 'Diagnose now' }).click()
  await page.getByRole('heading', { name: 'Everything the diagnosis saw' }).waitFor()
  expect(await page.locator('main img, main script').count()).toBe(0)
  expect(await page.title()).toContain('Noctuary')
})

test('a sender is connected from the page alone, which turns green when its first delivery arrives', async () => {
  const { readonlyKey } = await createTestTenant(site.app)
  const page = await open({ permissions: ['clipboard-read', 'clipboard-write'] })
  await signIn(page, readonlyKey)
  expect(new URL(page.url()).pathname).toBe('/connect')
  await page
    .getByRole('navigation', { name: 'Senders' })
    .getByRole('link', { name: /^Alertmanager/ })
    .click()
  await page.getByRole('button', { name: 'Connect Alertmanager' }).click()
  await page.getByText('Waiting for the first delivery').waitFor()
  expect(await findViolations(page)).toEqual([])
  await page.getByRole('button', { name: 'Send a sample' }).click()
  await page.getByRole('heading', { name: 'The sample went through' }).waitFor()
  await page.getByText('Waiting for the first delivery').waitFor()
  await page.getByRole('button', { name: 'Copy the snippet' }).first().click()
  const [, token = ''] = /credentials: (tok_\w{40})/.exec(await page.evaluate(() => navigator.clipboard.readText())) ?? []
  expect(await page.locator('pre').first().textContent()).not.toContain(token)

  const headers = { Authorization: `Bearer ${token}` }
  await page.request.post(`${url}/in/alertmanager`, { headers, data: DOORS.alertmanager.example.body })
  await page.getByRole('heading', { name: 'It delivers' }).waitFor({ timeout: 10_000 })
  for (const colorScheme of ['light', 'dark'] as const) {
    for (const width of [390, 1280]) {
      await page.emulateMedia({ colorScheme })
      await page.setViewportSize({ width, height: 900 })
      expect([colorScheme, width, await findViolations(page), await overflow(page)]).toEqual([colorScheme, width, [], 0])
      await page.screenshot({ path: `${SCREENS}connect-arrived-${colorScheme}-${width}.png`, fullPage: true })
    }
  }
})
