import { randomInt } from 'node:crypto'
import fc from 'fast-check'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { listOperations, type Operation, readApiDocument } from '../support/api-document.ts'
import { createTestTenant, METRICS_TOKEN, makeEvent, startApp, type TestTenant } from '../support/app.ts'
import { type FuzzedRequest, fill, fuzzOperation, toRequest } from '../support/fuzz.ts'
import { listPathIds } from '../support/fuzz-values.ts'
import { IS_THOROUGH } from '../support/thoroughness.ts'

/**
 * Every route, with input that its schemas describe and input that they do not. A failure prints the seed; `FUZZ_SEED`
 * replays it, and `FUZZ_SECONDS` or `npm run test:long` makes a longer run, with a seed of its own.
 */
const LONG_SECONDS = Number(process.env['FUZZ_SECONDS'] || 0)
const SEED = Number(process.env['FUZZ_SEED'] || (LONG_SECONDS > 0 || IS_THOROUGH ? randomInt(2 ** 31) : 7_201))
// Counted, for on a busy machine a time may pass before the first of them has ended.
const USUAL_RUNS = IS_THOROUGH ? 100 : 8

const app = startApp({ bindings: { CORS_ORIGINS: 'https://pages.example', SESSION_SECRET: 'a secret of the tests, long enough' } })
const document = readApiDocument()
const operations = listOperations(document)
const secondsEach = LONG_SECONDS / operations.length
const RAW_LINE = 'raw-line-that-nobody-may-see'

let victim: TestTenant
let victimIds: Readonly<Record<string, string>>
let secrets: readonly string[]
let before: string
let tokens: Map<string, string>
const keys: string[] = []

beforeAll(async () => {
  victim = await createTestTenant(app)
  victimIds = await furnish(victim, 'victim-service', { webhook_secret: 'whsec-victim-5f0c' })
  secrets = [...Object.values(victimIds), victim.tenantId, victim.ingestKey, victim.readonlyKey, 'victim-service']
  before = await readAll(victim)
})

/** Every route is provoked in the name of a tenant of its own, for some delete what others need. */
beforeEach(async () => {
  const own = await createTestTenant(app)
  const ids = { ...(await furnish(own, 'checkout')), ingest: own.ingestKey, readonly: own.readonlyKey }
  keys.push(own.ingestKey, own.readonlyKey)
  tokens = new Map([
    ...Object.entries(victimIds).map(([kind, id]) => [`~victim.${kind}~`, id] as const),
    ...Object.entries(ids).map(([kind, id]) => [`~own.${kind}~`, id] as const),
  ])
})

test.each(operations)(
  `$method $path stands seed ${SEED}`,
  async (operation) => {
    const statuses = new Set<number>()
    const doorToken = await openDoor(operation.path)
    if (doorToken !== undefined) tokens.set('~own.door~', doorToken)
    await fc.assert(
      fc.asyncProperty(fuzzOperation(document, operation), async (request) => {
        statuses.add(await provoke(request))
      }),
      {
        seed: SEED,
        ...(LONG_SECONDS > 0
          ? { numRuns: Number.MAX_SAFE_INTEGER, interruptAfterTimeLimit: secondsEach * 1_000, markInterruptAsFailure: false }
          : { numRuns: USUAL_RUNS }),
        // What an honest client would send comes first, so that even the slowest machine gets beyond refusals; then the
        // same with another tenant's id.
        examples: [[honest(operation, 'own')], [honest(operation, 'victim')]],
      },
    )
    const successes = Object.keys(operation.spec.responses).filter((status) => status.startsWith('2'))
    expect(successes.map(Number)).toContain([...statuses].find((status) => status < 300))
  },
  (secondsEach + 60) * 1_000,
)

afterAll(async () => {
  await app.settle()
  expect(await readAll(victim)).toBe(before)
  const logged = JSON.stringify(app.logs)
  for (const secret of [...keys, RAW_LINE]) expect(logged).not.toContain(secret)
})

/** Sends the request, which `app.send` checks against the document, and answers its status. */
async function provoke(fuzzed: FuzzedRequest): Promise<number> {
  const request = toRequest(fuzzed, tokens)
  fc.pre(request !== undefined)
  // Whoever sends a text may see it in what is said of it.
  const sent = `${request.url} ${[...request.headers.values()].join(' ')} ${fill(JSON.stringify(fuzzed.body ?? ''), tokens)}`
  let response = await app.send(request.clone())
  // A loaded machine may miss a store's deadline; no input may make that a habit.
  for (let tries = 0; response.status === 503 && tries < 3; tries += 1) response = await app.send(request.clone())
  if (response.status >= 500) throw new Error(`${response.status}: ${JSON.stringify(app.logs.findLast(({ event }) => event === 'bug'))}`)

  const seen = `${await response.text()} ${[...response.headers.values()].join(' ')}`
  for (const secret of secrets) if (seen.includes(secret) && !sent.includes(secret)) throw new Error(`it tells another tenant’s ${secret}`)
  if (seen.includes(RAW_LINE)) throw new Error('it tells a raw line')
  expect(Object.prototype).not.toHaveProperty('polluted')
  return response.status
}

function honest({ method, path, keyType, spec }: Operation, whose: 'own' | 'victim'): FuzzedRequest {
  const example = spec.requestBody?.content['application/json']?.example
  const ids = listPathIds(path)
  if ((path.match(/\{/g)?.length ?? 0) > ids.length) {
    throw new Error(`which ids does ${path} ask for? Say so in listPathIds, and make them in furnish`)
  }
  const left = [...ids]
  return {
    method,
    path: path.replaceAll(/\{\w+\}/g, () => (left.shift() ?? '').replace('own', whose)),
    headers: [
      ...(keyType ? [['Authorization', `Bearer ~own.${keyType}~`] as const] : []),
      ...(path === '/metrics' ? [['Authorization', `Bearer ${METRICS_TOKEN}`] as const] : []),
      ...(method === 'OPTIONS' ? [['WebHook-Request-Origin', 'sender.example'] as const] : []),
      ['Content-Type', 'application/json'],
    ],
    body:
      example === undefined ? undefined : { recipe: { kind: 'text', text: withTimes(withCredential(JSON.stringify(example))) }, zip: 'no' },
  }
}

/** A body's own credential, where it has one, is the tenant's. */
function withCredential(body: string): string {
  return body.replace(/("routing_key":")[^"]*/, `$1${tokens.get('~own.ingest~')}`)
}

const inMinutes = (minutes: number) => new Date(Date.now() + 60_000 * minutes).toISOString()

/** What is planned is yet to come. */
function withTimes(body: string): string {
  return body.replace(/("from":")[^"]*/, `$1${inMinutes(60)}`).replace(/("until":")[^"]*/, `$1${inMinutes(120)}`)
}

/** Opens the door that a path with a token leads to, and answers the token. */
async function openDoor(path: string): Promise<string | undefined> {
  const type = /^\/in\/([^/]+)\/\{token\}$/.exec(path)?.[1]
  if (type === undefined) return undefined
  const made = await app.request('/v1/integrations', { key: tokens.get('~own.readonly~') ?? '', body: { type, direction: 'inbound' } })
  const { token }: { token: string } = await made.json()
  return token
}

/** Gives a tenant one of everything, and answers the ids. */
async function furnish(tenant: TestTenant, serviceName: string, config = {}): Promise<Record<string, string>> {
  const [ingest, readonly] = [app.as(tenant.ingestKey), app.as(tenant.readonlyKey)]
  const sent = await app.request('/v1/events', {
    key: tenant.ingestKey,
    body: makeEvent({ service_name: serviceName, entity: serviceName, raw_line: RAW_LINE, ttl_seconds: 86_400 }),
  })
  const { data: services } = await readonly.GET('/v1/services')
  const { data: apiKey } = await readonly.POST('/v1/api-keys', { body: { key_type: 'ingest', name: 'spare' } })
  const { data: integration } = await readonly.POST('/v1/integrations', { body: { type: 'pagerduty', direction: 'inbound', config } })
  const { data: incident } = await readonly.POST('/v1/incidents', {
    body: { service: serviceName, observed_until: new Date().toISOString() },
  })
  const { data: share } = await readonly.POST('/v1/incidents/{id}/shares', { params: { path: { id: incident?.id ?? '' } } })
  const { data: receiver } = await readonly.POST('/v1/integrations', {
    body: { type: 'webhook', direction: 'outbound', config: { services: ['of nobody'] } },
  })
  const { data: maintenance } = await readonly.POST('/v1/maintenance', {
    body: { service: serviceName, from: inMinutes(60), until: inMinutes(120), reason: 'upgrade' },
  })
  await ingest.POST('/v1/agents/{id}/heartbeat', { params: { path: { id: tenant.agentId } } })
  return {
    agent: tenant.agentId,
    event: sent.headers.get('Noctuary-Event-Id') ?? '',
    service: services?.[0]?.id ?? '',
    api_key: apiKey?.id ?? '',
    integration: integration?.id ?? '',
    webhook: integration?.token ?? '',
    receiver: receiver?.id ?? '',
    incident: incident?.id ?? '',
    share: share?.id ?? '',
    maintenance: maintenance?.id ?? '',
  }
}

/** Everything a tenant can see of itself, but what passing time and its own reading change. */
async function readAll({ readonlyKey, agentId }: TestTenant): Promise<string> {
  const paths = [
    '/v1/agents',
    `/v1/agents/${agentId}`,
    '/v1/services',
    '/v1/api-keys',
    '/v1/integrations',
    '/v1/incidents',
    '/v1/maintenance',
    '/v1/audit',
  ]
  const texts = await Promise.all(paths.map(async (path) => (await app.request(path, { key: readonlyKey })).text()))
  return texts.join('\n').replaceAll(/"(?:last_used_at|status|events_last_hour)":[^,}]*/g, '')
}
