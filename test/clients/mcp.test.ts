import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createTestTenant, makeEvent, type TestTenant } from '../support/app.ts'
import { serveSite, startSite } from '../support/site.ts'

/** Where the clients are installed: `.ci/run` does so, and pins them. */
const CLIENTS = process.env['NOCTUARY_CLIENTS'] ?? ''

const site = startSite()
let tenant: TestTenant
let url: string
const stops: (() => void)[] = []

function find(path: string): string {
  const found = join(CLIENTS, 'node_modules', path)
  if (CLIENTS === '' || !existsSync(found))
    throw new Error(`${path} is missing: install it as .ci/run does, and name the folder in NOCTUARY_CLIENTS`)
  return found
}

beforeAll(async () => {
  const served = await serveSite(site)
  stops.push(served.stop)
  url = `${served.url}/mcp`
  tenant = await createTestTenant(site.app)
  await site.app.request('/v1/events', { key: tenant.ingestKey, body: makeEvent() })
})
afterAll(() => {
  for (const stop of stops) stop()
})

describe('the official client', () => {
  type Client = {
    readonly connect: (transport: unknown) => Promise<void>
    readonly listTools: () => Promise<{ readonly tools: readonly { readonly name: string }[] }>
    readonly callTool: (call: unknown) => Promise<{ readonly structuredContent?: unknown; readonly isError?: boolean }>
    readonly readResource: (resource: unknown) => Promise<{ readonly contents: readonly unknown[] }>
    readonly getPrompt: (prompt: unknown) => Promise<{ readonly messages: readonly unknown[] }>
    readonly close: () => Promise<void>
  }
  type Module = {
    readonly Client: new (info: unknown, options?: unknown) => Client
    readonly StreamableHTTPClientTransport: new (url: URL, options: unknown) => unknown
  }

  test.each([
    ['as it comes', {}],
    ['that finds out which protocol is spoken', { versionNegotiation: { mode: 'auto' } }],
    ['that speaks 2026-07-28 alone', { versionNegotiation: { mode: { pin: '2026-07-28' } } }],
  ])('%s lists, calls, reads and prompts', async (_, options) => {
    const module: Module = await import(pathToFileURL(find('@modelcontextprotocol/client/dist/index.mjs')).href)
    const client = new module.Client({ name: 'test', version: '1' }, options)
    const headers = { Authorization: `Bearer ${tenant.readonlyKey}` }
    await client.connect(new module.StreamableHTTPClientTransport(new URL(url), { requestInit: { headers } }))
    const { tools } = await client.listTools()
    expect(tools).toHaveLength(9)
    const changes = await client.callTool({ name: 'get_changes', arguments: {} })
    expect(changes.structuredContent).toMatchObject({ changes: [{ service: 'checkout', sha: 'a4f2c1' }] })
    const diagnosed = await client.callTool({ name: 'diagnose', arguments: { service: 'checkout' } })
    const { id } = diagnosed.structuredContent as { readonly id: string }
    expect(await client.callTool({ name: 'get_incident', arguments: { id: 'nonsense' } })).toMatchObject({ isError: true })
    expect((await client.readResource({ uri: `noctuary://incidents/${id}` })).contents).toHaveLength(1)
    expect((await client.getPrompt({ name: 'investigate_incident', arguments: { id } })).messages).toHaveLength(2)
    await client.close()
  })
})

const INSPECTOR = join(CLIENTS, 'node_modules/.bin/mcp-inspector')

test('the inspector’s command finds nothing wrong with the tools, calls one, reads and prompts', async ({ skip }) => {
  skip(!existsSync(INSPECTOR), '@modelcontextprotocol/inspector is not installed in NOCTUARY_CLIENTS')
  const inspect = (method: string, ...args: readonly string[]) => {
    const server = ['--cli', url, '--transport', 'http', '--header', `Authorization: Bearer ${tenant.readonlyKey}`]
    return execute([INSPECTOR, ...server, '--method', method, ...args])
  }
  const answers = await Promise.all([
    inspect('tools/list', '--strict'),
    inspect('tools/call', '--tool-name', 'get_changes', '--tool-arg', 'service=checkout'),
    inspect('tools/call', '--tool-name', 'list_incidents', '--tool-arg', 'limit=5'),
    inspect('resources/read', '--uri', 'noctuary://services/checkout/context'),
    inspect('prompts/list'),
  ])
  expect(answers.map(({ code, out }) => (code === 0 ? code : out))).toEqual(answers.map(() => 0))
  expect(answers[1]?.out).toContain('a4f2c1')
  expect((await inspect('tools/call', '--tool-name', 'get_incident', '--tool-arg', 'id=x')).out).toContain('"isError": true')
})

type Ended = { readonly code: number; readonly out: string }

const execute = (args: readonly string[]): Promise<Ended> =>
  new Promise((resolve) => {
    execFile(process.execPath, args, { maxBuffer: 16_777_216 }, (error, stdout, stderr) =>
      resolve({ code: error ? 1 : 0, out: `${stdout}${stderr}` }),
    )
  })

/** The suite knows of no keys. */
async function serveWithKey(): Promise<string> {
  const served = await serveSite({
    ...site,
    send: (request) => {
      const keyed = new Request(request)
      keyed.headers.set('Authorization', `Bearer ${tenant.readonlyKey}`)
      return site.send(keyed)
    },
  })
  stops.push(served.stop)
  return `${served.url}/mcp`
}

test.each(['2025-11-25', '2026-07-28'])('the conformance suite of %s passes, but for what is listed with its reason', async (revision) => {
  const expected = new URL(`mcp-${revision}.yaml`, import.meta.url)
  const args = [find('.bin/conformance'), 'server', '--url', await serveWithKey(), '--requirements', revision]
  const { code, out } = await execute([...args, '--expected-failures', expected.pathname])
  expect(code, out.slice(-4_000)).toBe(0)
})
