import { randomUUID } from 'node:crypto'
import { inject } from 'vitest'
import { createApp } from '../../src/app.ts'
import { createDeps, type Deps } from '../../src/deps.ts'
import { createTenant, type NewTenant } from '../../src/usecases/create-tenant.ts'
import type { StackAddresses } from '../stack/stack.ts'

export type Endpoints = {
  readonly database?: string
  readonly redis?: string
  /** Another local stack than the run's shared one. */
  readonly stack?: StackAddresses
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
  readonly request: (path: string, options?: RequestOptions) => Promise<Response>
  /** Waits for the work that handlers left for after their answers. */
  readonly settle: () => Promise<void>
}

/** The real app over the local stack, or over other endpoints that stand before it. */
export function startApp(endpoints: Endpoints = {}, overrides: Partial<Deps> = {}): TestApp {
  const stack = endpoints.stack ?? inject('stack')
  const logs: LogLine[] = []
  const deps: Deps = {
    ...createDeps({
      database: { url: stack.databaseUrl, endpoint: endpoints.database ?? stack.databaseEndpoint, timeoutMs: 2_400 },
      redis: { url: endpoints.redis ?? stack.redisUrl, token: stack.redisToken, timeoutMs: 300 },
      sweepRequests: 1_000,
    }),
    log: (event, fields) => void logs.push({ event, ...fields }),
    ...overrides,
  }
  const app = createApp(deps)
  const deferred: Promise<unknown>[] = []
  const context = { waitUntil: (work: Promise<unknown>) => void deferred.push(work), passThroughOnException: () => {}, props: {} }

  return {
    deps,
    logs,
    request: async (path, { method, key, body, headers = {} } = {}) =>
      app.request(
        path,
        {
          method: method ?? (body === undefined ? 'GET' : 'POST'),
          headers: {
            ...(key === undefined ? {} : { Authorization: `Bearer ${key}` }),
            ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
            ...headers,
          },
          ...(body === undefined ? {} : { body: toBody(body) }),
        },
        {},
        context,
      ),
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
  const response = await app.request('/v1/agents/register', { key: tenant.ingestKey, body: { hostname: 'test-host' } })
  const agent: { id: string } = await response.json()
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

type ServiceItem = { readonly id: string; readonly name: string; readonly last_event_at: string }

/** The tenant's services by name, through the API. */
export async function listServicesOf(app: TestApp, { readonlyKey }: NewTenant): Promise<Map<string, ServiceItem>> {
  const response = await app.request('/v1/services', { key: readonlyKey })
  const services: ServiceItem[] = await response.json()
  return new Map(services.map((service) => [service.name, service]))
}

export type EntryBody = {
  readonly id: string
  readonly event_type: string
  readonly vendor: string
  readonly entity: string
  readonly old_value: string | null
  readonly new_value: string | null
  readonly sha: string | null
  readonly count: number
  readonly timestamp: string
  readonly first_timestamp: string
  readonly expires_at: string
  readonly joined_by: string
}

export type WindowBody = { readonly service: string; readonly updated_at: string | null } & Readonly<
  Record<`${string}_events`, EntryBody[]>
>

/** The window of the tenant's service of that name, through the API. */
export async function readWindowOf(app: TestApp, tenant: NewTenant, serviceName: string, query = ''): Promise<WindowBody> {
  const service = (await listServicesOf(app, tenant)).get(serviceName)
  const response = await app.request(`/v1/services/${service?.id ?? 'none'}/context${query}`, { key: tenant.readonlyKey })
  if (response.status !== 200) throw new Error(`window of ${serviceName}: ${response.status} ${await response.text()}`)
  return response.json()
}

/** A window's entries of all types, in the window's order. */
export function entriesOf(window: WindowBody): EntryBody[] {
  return Object.values(window).flatMap((value) => (Array.isArray(value) ? value : []))
}
