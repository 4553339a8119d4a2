import { Validator } from '@seriousme/openapi-schema-validator'
import { describe, expect, test } from 'vitest'
import { createApp } from '../../src/app.ts'
import { listOperations, type Operation, type ResponseObject, readApiDocument, resolve } from '../support/api-document.ts'
import { createTestTenant, startApp } from '../support/app.ts'
import { createValidator, pointTo } from '../support/response-check.ts'

const app = startApp()
const document = readApiDocument()
const operations = listOperations(document)
const validate = createValidator(document)

const statusesOf = ({ spec }: Operation) => Object.keys(spec.responses)

const responsesOf = ({ spec, path, method }: Operation) =>
  Object.entries(spec.responses).map(([status, declared]) => ({
    status,
    base: '$ref' in declared ? declared.$ref : pointTo('paths', path, method.toLowerCase(), 'responses', status),
    response: resolve<ResponseObject>(document, declared),
  }))

test('a public validator finds the document to be OpenAPI 3.1', async () => {
  const validator = new Validator({ strict: false })
  expect(await validator.validate({ ...document })).toEqual({ valid: true })
  expect(validator.version).toBe('3.1')
})

test('every route of the app is described', () => {
  const described = operations.filter(({ spec }) => !spec.tags?.includes('Doors')).map(({ method, path }) => `${method} ${path}`)
  const routes = createApp(app.deps).routes.filter(
    ({ method, path }) => method !== 'ALL' && /^\/(?:v1|webhooks|health|metrics|mcp)/.test(path),
  )
  const served = routes.map(({ method, path }) => `${method} ${path.replaceAll(/:(\w+)/g, '{$1}')}`)
  expect(new Set(served)).toEqual(new Set(described))
})

test('operation ids are unique, and every tag and security scheme is explained', () => {
  const ids = operations.map(({ spec }) => spec.operationId)
  expect(new Set(ids).size).toBe(ids.length)
  const tags = document.tags.map(({ name }) => name)
  expect(new Set(operations.flatMap(({ spec }) => spec.tags ?? []))).toEqual(new Set(tags))
  const schemes = operations.flatMap(({ spec }) => (spec.security ?? []).flatMap((requirement) => Object.keys(requirement)))
  expect(new Set(schemes)).toEqual(new Set(Object.keys(document.components.securitySchemes)))
})

test('a client typed by the document speaks to the app', async () => {
  const tenant = await createTestTenant(app)
  const sent = await app.as(tenant.ingestKey).POST('/v1/events', {
    body: { service_name: 'checkout', vendor: 'argocd', entity: 'checkout', event_type: 'deploy', confidence: 0.9, ttl_seconds: 60 },
  })
  expect(sent.response.status).toBe(201)
  const { data: agent } = await app.as(tenant.readonlyKey).GET('/v1/agents/{id}', {
    params: { path: { id: tenant.agentId }, query: { limit: 10, event_type: 'deploy' } },
  })
  expect(agent?.events.map(({ service_name, confidence }) => `${service_name} ${confidence}`)).toEqual(['checkout 0.9'])
  const { error } = await app.as(tenant.ingestKey).GET('/v1/services')
  expect(error).toMatchObject({ status: 403, detail: 'a read-only key is required' })
})

describe.each(operations)('$method $path', (operation) => {
  const { spec, path, method, keyType } = operation

  test('has an id, a summary, a tag, and described parameters', () => {
    expect(spec.operationId).toMatch(/^[a-z][A-Za-z]+$/)
    expect(spec.summary).toMatch(/\S/)
    expect(spec.tags).toHaveLength(1)
    const named = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name)
    const parameters = spec.parameters ?? []
    expect(parameters.filter((parameter) => parameter.in === 'path').map(({ name }) => name)).toEqual(named)
    for (const { name, in: place, description } of parameters)
      expect([name, place === 'path' || description]).toEqual([name, expect.anything()])
  })

  test('declares every status that its kind of operation can answer', () => {
    const expected = [
      '500',
      ...(keyType === undefined ? [] : ['401', '403', '503']),
      ...(path.includes('{') ? ['404'] : []),
      ...(spec.requestBody === undefined ? [] : ['400', '413', '415']),
      ...((spec.parameters ?? []).some((parameter) => parameter.in === 'query') ? ['400'] : []),
    ]
    expect(statusesOf(operation)).toEqual(expect.arrayContaining(expected))
    // A rehearsal is a 200 beside the 202 of a delivery.
    const isRehearsed = (spec.parameters ?? []).some(({ name }) => name === 'dry') && statusesOf(operation).includes('202')
    expect(statusesOf(operation).filter((status) => status.startsWith('2'))).toHaveLength(path === '/mcp' || isRehearsed ? 2 : 1)
  })

  test('shows an example of every body, each true to its schema', () => {
    const bodies = responsesOf(operation).flatMap(({ status, base, response }) =>
      Object.entries(response.content ?? {}).map(([type, media]) => ({
        name: status,
        pointer: `${base}${pointTo('content', type, 'schema').slice(1)}`,
        media,
      })),
    )
    for (const [type, media] of Object.entries(spec.requestBody?.content ?? {})) {
      bodies.push({ name: type, pointer: pointTo('paths', path, method.toLowerCase(), 'requestBody', 'content', type, 'schema'), media })
    }
    for (const { name, pointer, media } of bodies) {
      const examples = media.example === undefined ? Object.values(media.examples ?? {}).map(({ value }) => value) : [media.example]
      expect([name, examples.length]).not.toEqual([name, 0])
      for (const example of examples) expect([name, validate(pointer, example)]).toEqual([name, []])
    }
  })

  test('describes every response header, the request id among them', () => {
    for (const { status, response } of responsesOf(operation)) {
      const headers = Object.entries(response.headers ?? {})
      expect([status, headers.map(([name]) => name)]).toEqual([status, expect.arrayContaining(['X-Request-Id'])])
      if (status === '429' || status === '503') expect(Object.keys(response.headers ?? {})).toContain('Retry-After')
      for (const [name, header] of headers) expect([name, resolve(document, header).description]).toEqual([name, expect.any(String)])
    }
  })

  test('lets no response carry a field that is not declared', () => {
    for (const { status, response } of responsesOf(operation)) {
      for (const media of Object.values(response.content ?? {})) expect([status, findOpenObjects(media.schema)]).toEqual([status, []])
    }
  })
})

/** The places of a schema where an object does not say what becomes of further fields. */
function findOpenObjects(schema: unknown, place = '#', seen = new Set<unknown>()): string[] {
  if (typeof schema !== 'object' || schema === null || seen.has(schema)) return []
  seen.add(schema)
  const target = resolve<Record<string, unknown>>(document, schema as Record<string, unknown>)
  const isOpen = target['type'] === 'object' && !('additionalProperties' in target)
  return [
    ...(isOpen ? [place] : []),
    ...Object.entries(target).flatMap(([step, value]) => findOpenObjects(value, `${place}/${step}`, seen)),
  ]
}
