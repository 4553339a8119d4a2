import { randomUUID } from 'node:crypto'
import { expect, test } from 'vitest'
import { DOORS } from '../../src/domain/doors/index.ts'
import { DOOR_TYPES, type DoorType } from '../../src/domain/integration-type.ts'
import { createTenant } from '../../src/usecases/create-tenant.ts'
import { createTestTenant, listServicesOf } from '../support/app.ts'
import { createVisitor, ORIGIN, signIn, startSite } from '../support/site.ts'

const site = startSite()
const MAX_BYTES = 60_000

type Own = { readonly id: string; readonly type: DoorType; readonly token: string; readonly config: Record<string, unknown> }

async function open() {
  const tenant = await createTestTenant(site.app)
  const visitor = await signIn(site, tenant.readonlyKey)
  const integrations = async (): Promise<Own[]> => (await site.app.request('/v1/integrations', { key: tenant.readonlyKey })).json()
  const connect = async (type: DoorType): Promise<Own> => {
    expect((await visitor.post(`/connect/${type}`)).status).toBe(303)
    return (await integrations()).findLast((one) => one.type === type) ?? Promise.reject(new Error(type))
  }
  const read = async (path: string) => (await visitor.get(path)).text()
  return { tenant, visitor, integrations, connect, read }
}

/** As somebody sees it. */
const toText = (html: string) =>
  html
    .replaceAll(/<[^>]*>/g, '')
    .replaceAll('&quot;', '"')
    .replaceAll('&#39;', "'")
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&amp;', '&')

async function deliverExample(type: DoorType, token: string, headers: Record<string, string> = {}) {
  const { example } = DOORS[type]
  const response = await site.app.request(`/in/${type}/${token}`, { body: example.body, headers: { ...example.headers, ...headers } })
  await site.app.settle()
  return response.status
}

test('a new tenant lands where senders are connected, and one that has something at its incidents', async () => {
  const { readonlyKey } = await createTenant(site.app.deps, `test ${randomUUID()}`)
  const landing = async () => (await createVisitor(site).post('/signin', { key: readonlyKey })).headers.get('Location')
  expect(await landing()).toBe('/connect')
  await site.app.request('/v1/integrations', { key: readonlyKey, body: { type: 'argocd' } })
  expect(await landing()).toBe('/incidents')
})

test('every sender has a page with what to paste, its own address and token filled in, small and cheap', async () => {
  const { visitor, connect, read } = await open()
  expect(await read('/connect')).toContain('aria-current="page">One line of CI')
  for (const type of DOOR_TYPES) {
    const before = toText(await read(`/connect/${type}`))
    expect([type, before.includes(`Connect ${DOORS[type].title}`), /\{\{(?:url|token)/.test(before)]).toEqual([type, true, false])

    const { token, id } = await connect(type)
    const since = site.app.logs.length
    const response = await visitor.get(`/connect/${type}?integration=${id}`)
    const html = await response.text()
    const text = toText(html)
    expect([type, response.status, html.length < MAX_BYTES]).toEqual([type, 200, true])
    const calls = site.app.logs.slice(since).find(({ event }) => event === 'request')?.['store_calls']
    expect([type, calls]).toEqual([type, { postgres: 1, redis: 1 }])
    // A sender that has its own paths is given the host alone.
    const address = DOORS[type].setup.includes('{{url}}/') ? ORIGIN : /(?:\/in\/|\/v1\/logs|\/webhooks\/)/
    expect(text).toMatch(address)
    expect([type, text.includes(token), /\{\{(?:url|token)/.test(text)]).toEqual([type, true, false])
    expect([type, text.includes('Waiting for the first delivery')]).toEqual([type, true])
  }
  expect((await visitor.get('/connect/nobody')).status).toBe(404)
})

test('the page shows what arrived, what was ignored and why, and what was refused', async () => {
  const { visitor, connect, read, integrations } = await open()
  const { token, id } = await connect('argocd')
  const page = `/connect/argocd?integration=${id}`
  expect(await read(page)).toContain('data-soon')
  expect(await deliverExample('argocd', token)).toBe(202)
  const arrived = await read(page)
  expect(toText(arrived)).toMatch(/It delivers\s*1 event, just now/)
  expect(arrived).toContain('wait good')
  expect(toText(arrived)).toContain('Today: 1 taken, 0 ignored, 0 refused.')
  expect(toText(arrived)).toContain('1 of 23 senders deliver')
  expect(arrived).not.toContain('data-soon')

  const github = await connect('github')
  const status = DOORS.github.example.body as { readonly deployment: object }
  const staging = { ...status, deployment: { ...status.deployment, environment: 'staging' } }
  await site.app.request(`/in/github/${github.token}`, { body: staging, headers: { ...DOORS.github.example.headers } })
  await site.app.settle()
  const leftOut = toText(await read('/connect/github'))
  expect(leftOut).toContain('ignored: environment staging')
  expect(leftOut).toContain('Let staging through')
  expect((await visitor.post('/connect/github/environment', { integration: github.id, environment: 'staging' })).status).toBe(303)
  expect((await integrations()).find(({ id: own }) => own === github.id)?.config).toMatchObject({ environments: ['production', 'staging'] })
  await site.app.request(`/in/github/${github.token}`, { body: staging, headers: { ...DOORS.github.example.headers } })
  await site.app.settle()
  expect(toText(await read('/connect/github'))).toMatch(/It delivers\s*1 event/)
  expect((await visitor.post('/connect/github/secret', { integration: github.id, webhook_secret: 'a-secret-of-githubs' })).status).toBe(303)
  expect(await deliverExample('github', github.token, { 'X-Hub-Signature-256': 'sha256=00' })).toBe(401)
  const refused = await read('/connect/github')
  expect(toText(refused)).toContain('Refused: wrong signature')
  expect(refused).toContain('state bad">✗ wrong signature')
  expect(refused).toContain('wait bad')
})

test('a sample is sent from the page, which says what became of it, and still waits for the sender', async () => {
  const { tenant, visitor, connect, read } = await open()
  for (const [type, became] of [
    ['alertmanager', /The sample went through\s*1 alert opened, sample-checkout/],
    ['github', /The sample went through\s*1 event, sample-checkout/],
  ] as const) {
    const { id } = await connect(type)
    expect(toText(await read(`/connect/${type}`))).toContain('Send a sample')
    const sent = await visitor.post(`/connect/${type}/sample`, { integration: id })
    expect([sent.status, sent.headers.get('Location')]).toEqual([303, `/connect/${type}?integration=${id}#sample`])
    await site.app.settle()
    const html = await read(`/connect/${type}`)
    expect(toText(html)).toMatch(became)
    expect(toText(html)).toContain('Waiting for the first delivery')
    expect(toText(html)).toContain('0 of 23 senders deliver')
    const path = /href="(\/incidents\/[\w-]+)"/.exec(html)?.[1]
    if (type === 'alertmanager') expect(toText(await read(`${path}`))).toContain('Test: Checkout answers slowly')
  }
  const incidents = await (await site.app.request('/v1/incidents', { key: tenant.readonlyKey })).json()
  expect(incidents).toMatchObject([{ service: 'sample-checkout', environment: 'noctuary-sample', status: 'diagnosed' }])
  const stranger = await open()
  const [own] = await (await site.app.request('/v1/integrations', { key: tenant.readonlyKey })).json()
  expect((await stranger.visitor.post('/connect/alertmanager/sample', { integration: own.id })).status).toBe(404)
})

test('deliveries by a key that people made show at their sender', async () => {
  const { tenant, read } = await open()
  await site.app.request('/in/deploy', { key: tenant.ingestKey, body: { service: 'checkout', sha: 'a4f2c1d' } })
  await site.app.settle()
  expect(toText(await read('/connect/deploy'))).toMatch(/It delivers\s*1 event/)
})

test('a pasted body says what it would become, and nothing is stored', async () => {
  const { tenant, visitor, connect, read } = await open()
  for (const type of DOOR_TYPES) {
    const { example } = DOORS[type]
    const headers = Object.entries(example.headers ?? {}).map(([name, value]) => `${name}: ${value}`)
    const response = await visitor.post(`/connect/${type}/try`, { body: JSON.stringify(example.body), headers: headers.join('\r\n') })
    const text = toText(await response.text())
    expect([type, response.status, /It would become|Ignored:/.test(text)]).toEqual([type, 200, true])
  }
  const { id } = await connect('deploy')
  const tried = async (body: string) => toText(await (await visitor.post('/connect/deploy/try', { body, integration: id })).text())
  expect(await tried('service=checkout&sha=a4f2c1d')).toMatch(/It would become 1 event\.\s*deploy of checkout: succeeded/)
  expect(await tried('{"service":"checkout"}')).toContain('It would be refused: sha is required')
  expect(await tried('{"service":')).toContain('It would be refused: request body must be valid JSON')
  expect(await tried('{"service":"checkout","sha":"a4f2c1d","environment":"staging"}')).toContain('Ignored: environment staging')
  const hostile = await (await visitor.post('/connect/deploy/try', { body: '{"service":"<script>","sha":"</textarea><b>"}' })).text()
  expect(hostile).not.toMatch(/<script>|<b>/)
  expect((await listServicesOf(site.app, tenant)).size).toBe(0)
  expect(toText(await read('/connect/deploy'))).toContain('None yet.')
})

test('settings are saved, and removed by an empty field; bad ones are refused', async () => {
  const { visitor, connect, integrations } = await open()
  const { id } = await connect('alertmanager')
  const save = async (form: Record<string, string>) =>
    (await visitor.post('/connect/alertmanager/settings', { integration: id, ...form })).status
  expect(await save({ service: 'checkout', environments: 'staging, production', wait_seconds: '60', service_label: 'team' })).toBe(303)
  const [saved] = await integrations()
  expect(saved?.config).toMatchObject({
    service: 'checkout',
    environments: ['staging', 'production'],
    wait_seconds: 60,
    service_label: 'team',
  })
  for (const form of [{ wait_seconds: '-1' }, { wait_seconds: 'soon' }, { environments: 'x'.repeat(65) }, { service: 'x'.repeat(600) }])
    expect([form, await save(form)]).toEqual([form, 400])
  expect(await save({})).toBe(303)
  expect((await integrations())[0]?.config).toMatchObject({ service: null, environments: null, wait_seconds: null, service_label: null })
})

test('a token is replaced from the page, and nobody reaches another tenant’s integration', async () => {
  const { visitor, connect, integrations } = await open()
  const { id, token } = await connect('flux')
  const stranger = await open()
  for (const path of ['rotate', 'secret', 'settings'])
    expect((await stranger.visitor.post(`/connect/flux/${path}`, { integration: id, webhook_secret: 'x'.repeat(16) })).status).toBe(404)
  expect(await stranger.read(`/connect/flux?integration=${id}`)).not.toContain(token)
  expect((await visitor.post('/connect/flux/rotate', { integration: id })).status).toBe(303)
  expect((await integrations())[0]?.token).not.toBe(token)
  expect(await deliverExample('flux', token)).toBe(404)
})
