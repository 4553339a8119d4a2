import { type RouteConfig, z } from '@hono/zod-openapi'
import { SECURITY } from '../http/auth.ts'
import { problemOf, problems } from '../http/problem.ts'
import { json, jsonBody } from '../http/schemas.ts'

const Id = z.union([z.string(), z.number()])

const MessageBody = z
  .looseObject({ jsonrpc: z.literal('2.0'), id: Id.optional(), method: z.string(), params: z.looseObject({}).optional() })
  .openapi('McpMessage')

const AnswerBody = z
  .strictObject({
    jsonrpc: z.literal('2.0'),
    id: Id.nullable(),
    result: z.looseObject({}).optional(),
    error: z.strictObject({ code: z.int(), message: z.string(), data: z.unknown().optional() }).optional(),
  })
  .openapi('McpAnswer')

const refusal = (description: string, code: number, message: string) =>
  json(AnswerBody, description, { jsonrpc: '2.0', id: 1, error: { code, message } })

const REFUSED = refusal('The message is not one that can be answered', -32_600, 'the body must be one JSON-RPC request or notification')

const PROBLEM = problemOf('invalid_request', { pointer: '', detail: 'Content-Encoding must be gzip' })[400]

/** What OpenAPI can say of MCP: the envelope. The methods, tools and their schemas are told by the protocol itself. */
export const MCP_OPERATION = {
  operationId: 'speakMcp',
  tags: ['MCP'],
  method: 'post',
  path: '/mcp',
  summary: 'Send a message of the Model Context Protocol',
  description:
    'Streamable HTTP without sessions or streams, for protocol 2026-07-28 and those from 2025-03-26 on: one JSON-RPC message, or of 2025-03-26 a batch of ten at most, answered as JSON. `tools/list`, `resources/list` and `prompts/list` say what there is. A viewer key reads; a read-only key may also ask for diagnoses and judge them.',
  security: [...SECURITY.viewer],
  request: { body: jsonBody(z.union([MessageBody, z.array(MessageBody)]), { jsonrpc: '2.0', id: 1, method: 'tools/list' }) },
  responses: {
    200: json(z.union([AnswerBody, z.array(AnswerBody)]), 'The result, or why there is none', {
      jsonrpc: '2.0',
      id: 1,
      result: { tools: [] },
    }),
    202: { description: 'A notification, which gets no answer' },
    ...problems('unauthorized', 'forbidden', 'payload_too_large', 'unsupported_media_type', 'unavailable'),
    400: { ...REFUSED, content: { ...REFUSED.content, ...PROBLEM?.content } },
    404: refusal('There is no such method in protocol 2026-07-28', -32_601, 'no such method: tools/lists'),
  },
} as const satisfies RouteConfig
