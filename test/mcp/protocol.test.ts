import { describe, expect, test } from 'vitest'
import { createTestTenant, makeEvent, startApp } from '../support/app.ts'
import { askEarlier, askModern, MODERN, post } from '../support/mcp.ts'

const app = startApp()
const tenant = await createTestTenant(app)
const { readonlyKey: key, ingestKey } = tenant

const message = (method: string, params: unknown = {}) => ({ jsonrpc: '2.0', id: 7, method, params })

describe('who may speak', () => {
  test('no key, a made-up one and a revoked one are 401 with a challenge; an ingest key is 403', async () => {
    const created = await (await app.request('/v1/api-keys', { key, body: { key_type: 'readonly' } })).json()
    await app.request(`/v1/api-keys/${created.id}`, { key, method: 'DELETE' })
    for (const bad of [undefined, 'nonsense', created.key]) {
      const response = await post(app, bad, message('ping'))
      expect([response.status, response.headers.get('WWW-Authenticate')]).toEqual([401, 'Bearer'])
    }
    expect((await post(app, ingestKey, message('ping'))).status).toBe(403)
  })

  test.each([
    ['https://evil.example', 403],
    ['null', 403],
    ['http://localhost.evil.example', 403],
    ['http://localhost', 200],
  ])('a page of %s is answered %d', async (origin, status) => {
    expect((await post(app, key, message('ping'), { Origin: origin })).status).toBe(status)
  })

  test('a page is ours by the public address alone, or by a name that nobody else can take', async () => {
    const headers = { Authorization: `Bearer ${key}`, 'Content-Type': 'application/json' }
    const request = (url: string) =>
      new Request(url, { method: 'POST', headers: { ...headers, Origin: new URL(url).origin }, body: JSON.stringify(message('ping')) })
    expect((await app.send(request('http://rebound.example/mcp'))).status).toBe(403)
    expect((await app.send(request('https://noctuary.example/mcp'))).status).toBe(200)
    const named = startApp({ bindings: { PUBLIC_URL: 'https://noctuary.example', CORS_ORIGINS: 'https://tools.example' } })
    expect((await named.send(request('https://other.example/mcp'))).status).toBe(403)
    expect((await post(named, key, message('ping'), { Origin: 'https://tools.example' })).status).toBe(200)
  })

  test.each(['GET', 'DELETE', 'PUT'])('%s is 405', async (method) => {
    const response = await app.request('/mcp', { method, key })
    expect([response.status, response.headers.get('Allow')]).toEqual([405, 'POST'])
  })
})

describe('messages', () => {
  test.each([
    ['no JSON', '{"jsonrpc":', -32_700],
    ['an empty batch', [], -32_600],
    ['a batch that is too long', Array.from({ length: 21 }, () => message('ping')), -32_600],
    ['a batch that begins', [message('initialize'), message('ping')], -32_600],
    ['nothing', 'null', -32_600],
    ['another version of JSON-RPC', { ...message('ping'), jsonrpc: '1.0' }, -32_600],
    ['an answer', { jsonrpc: '2.0', id: 1, result: {} }, -32_600],
    ['params that are a list', message('ping', []), -32_600],
  ])('%s is 400', async (_name, body, code) => {
    const response = await post(app, key, body)
    expect(response.status).toBe(400)
    expect(await response.json()).toMatchObject({ jsonrpc: '2.0', id: null, error: { code } })
  })

  test('a batch is of 2025-03-26, which has no header for it, and of none after it', async () => {
    const batch = [message('ping'), { jsonrpc: '2.0', method: 'notifications/initialized' }, { ...message('nothing'), id: 'b' }]
    for (const headers of [{}, { 'MCP-Protocol-Version': '2025-03-26' }]) {
      const response = await post(app, key, batch, headers)
      expect([response.status, await response.json()]).toEqual([
        200,
        [
          { jsonrpc: '2.0', id: 7, result: {} },
          { jsonrpc: '2.0', id: 'b', error: expect.objectContaining({ code: -32_601 }) },
        ],
      ])
    }
    const silent = await post(app, key, batch.slice(1, 2))
    expect([silent.status, await silent.text()]).toEqual([202, ''])
    for (const version of ['2025-06-18', '2025-11-25', MODERN]) {
      const response = await post(app, key, batch, { 'MCP-Protocol-Version': version })
      expect([response.status, (await response.json()).error.code]).toEqual([400, -32_600])
    }
  })

  test('a notification is 202 without a body', async () => {
    const response = await post(app, key, { jsonrpc: '2.0', method: 'notifications/initialized' })
    expect([response.status, await response.text()]).toEqual([202, ''])
  })

  test.each(['__proto__', 'constructor', 'toString', 'tasks/list'])('no method goes by %s', async (method) => {
    const earlier = await askEarlier(app, key, method)
    expect([earlier.status, (await earlier.json()).error.code]).toEqual([200, -32_601])
    const modern = await askModern(app, key, method)
    expect([modern.status, (await modern.json()).error.code]).toEqual([404, -32_601])
    expect(await (await askModern(app, key, 'tools/call', { name: method })).json()).toMatchObject({ error: { code: -32_602 } })
    expect(await (await askModern(app, key, 'prompts/get', { name: method })).json()).toMatchObject({ error: { code: -32_602 } })
  })
})

describe('with initialize', () => {
  test.each([
    ['2025-11-25', '2025-11-25'],
    ['2025-06-18', '2025-06-18'],
    ['2025-03-26', '2025-03-26'],
    ['2024-11-05', '2025-11-25'],
    [MODERN, '2025-11-25'],
  ])('a client that wants %s gets %s', async (wanted, given) => {
    const params = { protocolVersion: wanted, capabilities: {}, clientInfo: { name: 'x', version: '1' } }
    const response = await post(app, key, message('initialize', params))
    expect(await response.json()).toMatchObject({
      id: 7,
      result: { protocolVersion: given, serverInfo: { name: 'noctuary' }, capabilities: { tools: {}, resources: {}, prompts: {} } },
    })
    expect(response.headers.get('Mcp-Session-Id')).toBeNull()
  })

  test('ping, lists and a version that there is not', async () => {
    expect(await (await askEarlier(app, key, 'ping')).json()).toEqual({ jsonrpc: '2.0', id: 'a', result: {} })
    const { result } = await (await askEarlier(app, key, 'tools/list')).json()
    expect(Object.keys(result)).toEqual(['tools'])
    const strange = await askEarlier(app, key, 'ping', {}, '1999-01-01')
    expect([strange.status, (await strange.json()).error.code]).toEqual([400, -32_022])
    for (const uri of ['noctuary://nothing', 'noctuary://services/%00/context', 'noctuary://services/%ED%A0%80/context']) {
      const missing = await (await askEarlier(app, key, 'resources/read', { uri })).json()
      expect([uri, missing.error]).toEqual([uri, expect.objectContaining({ code: -32_002 })])
    }
  })
})

describe('of 2026-07-28', () => {
  test('discovery, and results that say that they are complete, by whom, and how long they last', async () => {
    const { result } = await (await askModern(app, key, 'server/discover')).json()
    expect(result).toMatchObject({ resultType: 'complete', supportedVersions: [MODERN], cacheScope: 'private', ttlMs: expect.any(Number) })
    for (const method of ['tools/list', 'prompts/list', 'resources/list', 'resources/templates/list']) {
      const { result: list } = await (await askModern(app, key, method)).json()
      expect(list).toMatchObject({ resultType: 'complete', cacheScope: 'private', ttlMs: expect.any(Number) })
      expect(list._meta['io.modelcontextprotocol/serverInfo']).toMatchObject({ name: 'noctuary' })
    }
  })

  test.each([
    ['another method than the body', { 'Mcp-Method': 'tools/list' }],
    ['another tool than the body', { 'Mcp-Name': 'get_incident' }],
    ['another version than the body', { 'MCP-Protocol-Version': '2025-11-25' }],
  ])('headers with %s are refused', async (_name, headers) => {
    const response = await askModern(app, key, 'tools/call', { name: 'list_services', arguments: {} }, headers)
    expect([response.status, (await response.json()).error.code]).toEqual([400, -32_020])
  })

  test.each(['initialize', 'ping'])('%s is no method any more', async (method) => {
    const response = await askModern(app, key, method)
    expect([response.status, (await response.json()).error.code]).toEqual([404, -32_601])
  })

  test('a name that no header can hold travels in base64', async () => {
    const encoded = `=?base64?${Buffer.from('list_services').toString('base64')}?=`
    const response = await askModern(app, key, 'tools/call', { name: 'list_services' }, { 'Mcp-Name': encoded })
    expect(response.status).toBe(200)
  })

  test('a request without its envelope, or of a version that there is not, is refused', async () => {
    const bare = await post(app, key, message('tools/list'), { 'MCP-Protocol-Version': MODERN })
    expect([bare.status, (await bare.json()).error.code]).toEqual([400, -32_602])
    const meta = { 'io.modelcontextprotocol/protocolVersion': '2099-01-01', 'io.modelcontextprotocol/clientCapabilities': {} }
    const unknown = await post(app, key, message('tools/list', { _meta: { ...meta, 'io.modelcontextprotocol/clientInfo': {} } }), {
      'MCP-Protocol-Version': '2099-01-01',
    })
    expect([unknown.status, (await unknown.json()).error]).toEqual([
      400,
      expect.objectContaining({ code: -32_022, data: { supported: [MODERN], requested: '2099-01-01' } }),
    ])
  })
})

test('the nine tools cost an assistant 2,000 tokens at most, and say what they change', async () => {
  const { tools } = (await (await askModern(app, key, 'tools/list')).json()).result
  expect(JSON.stringify(tools).length / 4).toBeLessThanOrEqual(2_000)
  type Listed = { name: string; annotations: { readOnlyHint: boolean } }
  const changing = tools.filter(({ annotations }: Listed) => !annotations.readOnlyHint).map(({ name }: Listed) => name)
  expect([tools.length, changing]).toEqual([9, ['diagnose', 'give_feedback']])
})

test('a viewer’s key reads, and neither sees nor uses what changes anything', async () => {
  const viewer = await (await app.request('/v1/api-keys', { key, body: { key_type: 'viewer' } })).json()
  const { tools } = (await (await askModern(app, viewer.key, 'tools/list')).json()).result
  expect(tools).toHaveLength(7)
  const asked = await askModern(app, viewer.key, 'tools/call', { name: 'diagnose', arguments: { service: 'checkout' } })
  expect((await asked.json()).result).toMatchObject({ isError: true })
  const read = await askModern(app, viewer.key, 'tools/call', { name: 'get_changes', arguments: {} })
  expect((await read.json()).result).toMatchObject({ structuredContent: { changes: expect.any(Array) } })
})

test('resources and prompts tell an incident and a service’s context', async () => {
  await app.request('/v1/events', { key: ingestKey, body: makeEvent({ service_name: 'api / v2' }) })
  const incident = await (await app.request('/v1/incidents', { key, body: { service: 'api / v2' } })).json()
  const { resources } = (await (await askModern(app, key, 'resources/list')).json()).result
  expect(resources).toContainEqual(expect.objectContaining({ uri: `noctuary://incidents/${incident.id}` }))
  for (const uri of [`noctuary://incidents/${incident.id}`, `noctuary://services/${encodeURIComponent('api / v2')}/context`]) {
    const { result } = await (await askModern(app, key, 'resources/read', { uri })).json()
    expect(JSON.parse(result.contents[0].text)).toMatchObject({ service: 'api / v2' })
  }
  for (const name of ['investigate_incident', 'write_postmortem']) {
    const { result } = await (await askModern(app, key, 'prompts/get', { name, arguments: { id: incident.id } })).json()
    expect(result.messages[1].content.resource.text).toContain(incident.id)
  }
  const other = await createTestTenant(app)
  const uris = [`noctuary://incidents/${incident.id}`, 'noctuary://incidents/x', 'noctuary://services/%E0/context', 'file:///etc/passwd']
  for (const uri of uris)
    expect(await (await askModern(app, other.readonlyKey, 'resources/read', { uri })).json()).toMatchObject({ error: { code: -32_602 } })
  const stolen = await askModern(app, other.readonlyKey, 'prompts/get', { name: 'write_postmortem', arguments: { id: incident.id } })
  expect(await stolen.json()).toMatchObject({ error: { code: -32_602 } })
})
