import { expect } from 'vitest'
import type { TestApp } from './app.ts'

export const MODERN = '2026-07-28'

const META = {
  'io.modelcontextprotocol/protocolVersion': MODERN,
  'io.modelcontextprotocol/clientInfo': { name: 'test', version: '1' },
  'io.modelcontextprotocol/clientCapabilities': {},
}

type Params = Readonly<Record<string, unknown>>

/** Sends text as a message, with whatever headers. */
export function post(
  app: TestApp,
  key: string | undefined,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): Promise<Response> {
  return app.request('/mcp', { method: 'POST', body, headers, ...(key === undefined ? {} : { key }) })
}

/** A request as today's protocol has it. */
export function askModern(app: TestApp, key: string, method: string, params: Params = {}, headers: Readonly<Record<string, string>> = {}) {
  const named = params['name'] ?? params['uri']
  return post(
    app,
    key,
    { jsonrpc: '2.0', id: 1, method, params: { ...params, _meta: META } },
    { 'MCP-Protocol-Version': MODERN, 'Mcp-Method': method, ...(typeof named === 'string' ? { 'Mcp-Name': named } : {}), ...headers },
  )
}

/** A request as the revisions with `initialize` have it. */
export function askEarlier(app: TestApp, key: string, method: string, params: Params = {}, version = '2025-11-25') {
  return post(app, key, { jsonrpc: '2.0', id: 'a', method, params }, { 'MCP-Protocol-Version': version })
}

export type ToolAnswer = { readonly text: string; readonly isError: boolean; readonly data: Readonly<Record<string, unknown>> }

/** Calls a tool; what it answers as text is what it answers as data. */
export async function callTool(app: TestApp, key: string, name: string, args: Params = {}): Promise<ToolAnswer> {
  const { result, error } = await (await askModern(app, key, 'tools/call', { name, arguments: args })).json()
  if (error) throw new Error(`${name}: ${error.code} ${error.message}`)
  const [{ text }] = result.content
  if (result.isError !== true) expect(JSON.parse(text)).toEqual(result.structuredContent)
  return { text, isError: result.isError === true, data: result.structuredContent ?? {} }
}
