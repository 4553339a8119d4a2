import { randomUUID } from 'node:crypto'
import { Redis } from '@upstash/redis/cloudflare'
import createClient, { type Client } from 'openapi-fetch'
import { inject } from 'vitest'
import type { components, paths } from '../../dist/api.d.ts'
import { createApp } from '../../src/app.ts'
import { type Bindings, readConfig } from '../../src/config.ts'
import { createDeps, type Deps } from '../../src/deps.ts'
import { createTenant, type NewTenant } from '../../src/usecases/create-tenant.ts'
import { type StackAddresses, toBindings } from '../stack/stack.ts'
import { getResponseCheck } from './response-check.ts'

export type Endpoints = {
  readonly database?: string
  readonly redis?: string
  /** Another local stack than the run's shared one. */
  readonly stack?: StackAddresses
  /** How many times longer than the Worker it waits for a store, and a read for others: a busy machine should not be taken for one that hangs. */
  readonly patience?: number
  /** Variables and secrets of the Worker, besides its stores'. */
  readonly bindings?: Bindings
}

type RequestOptions = {
  readonly method?: string
  readonly key?: string
  /** Sent as JSON, unless it is text or bytes already. */
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
}

type LogLine = { readonly event: string } & Readonly<Record<string, unknown>>

export type TestApp = {
  readonly deps: Deps
  readonly logs: LogLine[]
  /** Answers as the Worker would; throws when the answer is not one that the API's description allows. */
  readonly request: (path: string, options?: RequestOptions) => Promise<Response>
  readonly send: (request: Request) => Promise<Response>
  /** A client typed by the API's description, which acts with this key. */
  readonly as: (key: string) => Client<paths>
  /** Upstash's own client of the same Redis. */
  readonly redis: Redis
  /** Waits for the work that handlers left for after their answers. */
  readonly settle: () => Promise<void>
}

/** What an operator's monitoring shows the tests' Worker. */
export const METRICS_TOKEN = 'metrics-of-the-tests'

/** The real app over the local stack, or over other endpoints that stand before it. */
export function startApp(endpoints: Endpoints = {}, overrides: Partial<Deps> = {}): TestApp {
  const stack = endpoints.stack ?? inject('stack')
  const logs: LogLine[] = []
  const config = readConfig({
    ...toBindings({
      ...stack,
      databaseEndpoint: endpoints.database ?? stack.databaseEndpoint,
      redisUrl: endpoints.redis ?? stack.redisUrl,
    }),
    METRICS_TOKEN,
    INTEGRATION_KEYS: `test:${Buffer.alloc(32, 7).toString('base64')}`,
    ...endpoints.bindings,
  })
  const { patience = 5 } = endpoints
  const deps: Deps = {
    ...createDeps({
      ...config,
      database: { ...config.database, timeoutMs: patience * config.database.timeoutMs },
      redis: { ...config.redis, timeoutMs: patience * config.redis.timeoutMs },
      readPatienceMs: patience * config.readPatienceMs,
    }),
    log: (event, fields) => void logs.push({ event, ...fields }),
    ...overrides,
  }
  const app = createApp(deps)
  const deferred: Promise<unknown>[] = []
  const context = { waitUntil: (work: Promise<unknown>) => void deferred.push(work), passThroughOnException: () => {}, props: {} }

  const send = async (request: Request): Promise<Response> => {
    const response = await app.fetch(request, {}, context)
    const check = getResponseCheck()
    await check(request.method, request.url, response)
    return response
  }

  return {
    deps,
    logs,
    request: async (path, { method = 'GET', key, body, headers = {} } = {}) => {
      const request = new Request(new URL(path, 'http://localhost'), {
        method: body !== undefined && method === 'GET' ? 'POST' : method,
        headers: {
          ...(key === undefined ? {} : { Authorization: `Bearer ${key}` }),
          ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
          ...headers,
        },
        ...(body === undefined ? {} : { body: toBody(body) }),
      })
      return send(request)
    },
    send,
    redis: new Redis({
      url: config.redis.url,
      token: config.redis.token,
      automaticDeserialization: false,
      enableAutoPipelining: false,
      enableTelemetry: false,
      readYourWrites: false,
    }),
    as: (key) => createClient<paths>({ baseUrl: 'http://localhost', fetch: send, headers: { Authorization: `Bearer ${key}` } }),
    settle: async () => {
      while (deferred.length > 0) await Promise.allSettled(deferred.splice(0))
    },
  }
}

function toBody(body: unknown): BodyInit {
  if (typeof body === 'string' || body instanceof Uint8Array) return body as BodyInit
  return JSON.stringify(body)
}

export type TestTenant = NewTenant & { readonly agentId: string }

/** A tenant of the test's own, with an agent registered for its ingest key. */
export async function createTestTenant(app: TestApp): Promise<TestTenant> {
  const tenant = await createTenant(app.deps, `test ${randomUUID()}`)
  const { data: agent } = await app.as(tenant.ingestKey).POST('/v1/agents/register', { body: { hostname: 'test-host' } })
  if (!agent) throw new Error('the new tenant’s key registers no agent')
  return { ...tenant, agentId: agent.id }
}

/** A valid event as an agent would send it; every call without a `timestamp` is another event. */
export function makeEvent(fields: Readonly<Record<string, unknown>> = {}): Record<string, unknown> {
  return {
    service_name: 'checkout',
    vendor: 'argocd',
    entity: 'checkout',
    event_type: 'deploy',
    new_value: 'succeeded',
    sha: 'a4f2c1',
    confidence: 0.95,
    ttl_seconds: 900,
    raw_line: 'time="…" msg="Sync operation succeeded"',
    ...fields,
  }
}

type Schemas = components['schemas']

/** The tenant's services by name, through the API. */
export async function listServicesOf(app: TestApp, { readonlyKey }: NewTenant): Promise<Map<string, Schemas['Service']>> {
  const { data, error } = await app.as(readonlyKey).GET('/v1/services')
  if (!data) throw new Error(`services: ${error.status} ${error.detail}`)
  return new Map(data.map((service) => [service.name, service]))
}

export type EntryBody = Schemas['WindowEntry']
export type WindowBody = Schemas['StateWindow']

/** The window of the tenant's service of that name, through the API. */
export async function readWindowOf(app: TestApp, tenant: NewTenant, serviceName: string, query = ''): Promise<WindowBody> {
  const id = (await listServicesOf(app, tenant)).get(serviceName)?.id ?? 'none'
  const { data, error } = await app
    .as(tenant.readonlyKey)
    .GET('/v1/services/{id}/context', { params: { path: { id } }, querySerializer: () => query })
  if (!data) throw new Error(`window of ${serviceName}: ${error.status} ${error.detail}`)
  return data
}

/** A window's entries of all types, in the window's order. */
export function entriesOf(window: WindowBody): EntryBody[] {
  return Object.values(window).flatMap((value) => (Array.isArray(value) ? value : []))
}
