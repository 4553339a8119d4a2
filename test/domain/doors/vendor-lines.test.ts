import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import type { SentEvent } from '../../../src/domain/doors/door.ts'
import { DOORS } from '../../../src/domain/doors/index.ts'
import { deliver } from '../../support/deliver.ts'

type Fields = Readonly<Record<string, unknown>>
type Told = { readonly service?: string | undefined; readonly severity?: number; readonly attributes?: Fields }

const pairs = (fields: Fields) => Object.entries(fields).map(([key, value]) => ({ key, value: { stringValue: value } }))

/** The event that a line becomes on its way through the door. */
function readLine(line: string, { service, severity, attributes = {} }: Told): SentEvent | undefined {
  const record = { body: { stringValue: line }, severityNumber: severity, attributes: pairs(attributes) }
  const resource = { attributes: service === undefined ? [] : pairs({ 'service.name': service }) }
  const body = { resourceLogs: [{ resource, scopeLogs: [{ logRecords: [record] }] }] }
  return deliver(DOORS.otlp, body).events[0]
}

type Case = readonly [told: Told, line: string, event: Fields | undefined]

const event = (type: string, vendor: string, service: string, entity: string, value: string, more: Fields = {}): Fields => ({
  event_type: type,
  vendor,
  service_name: service,
  entity,
  new_value: value,
  ...more,
})
const argocd = (message: string, more = '') => `time="2026-03-02T09:14:05Z" level=info msg="${message}" app=storefront${more}`
const postgres = (message: string) => `2026-03-02 09:14:05.250 CET [811] shop@orders ${message}`
const redis = (message: string) => `7:M 02 Mar 2026 09:14:05.250 ${message}`
const kafka = (message: string) => `[2026-03-02 09:14:05,250] INFO ${message} (kafka.coordinator.group.GroupCoordinator)`
const kubernetes = (reason: string, message: string, name = 'cart-6f8d7c9b4-k2m9x') =>
  JSON.stringify({
    kind: 'Event',
    reason,
    message,
    involvedObject: { kind: 'Pod', namespace: 'shop', name },
    lastTimestamp: '2026-03-02T09:14:05Z',
  })
const controller = 'argocd-application-controller'
const atTime = { timestamp: '2026-03-02T09:14:05Z' }
const db = { timestamp: '2026-03-02 09:14:05.250 CET' }
const cart = { service: 'cart' }
const long = 'é'.repeat(100)

const CASES: readonly Case[] = [
  [
    {},
    argocd('Sync operation starting', ' revision=4be1f7a9'),
    event('deploy', 'argocd', controller, 'storefront', 'syncing:4be1f7a9', { sha: '4be1f7a9', ...atTime }),
  ],
  [{}, argocd('Sync operation succeeded'), event('deploy', 'argocd', controller, 'storefront', 'succeeded', atTime)],
  [
    {},
    argocd('App health changed', ' from=Healthy to=Degraded'),
    event('deploy', 'argocd', controller, 'storefront', 'health:Degraded', { old_value: 'Healthy' }),
  ],
  [{}, argocd('Failed to get git client for repo'), event('dependency_failure', 'argocd', controller, 'storefront', 'repo_unavailable')],
  [{}, argocd('Reconciliation completed'), undefined],
  [
    {},
    '{"msg":"flag evaluation","flagKey":"express","variant":"on","defaultVariant":"off"}',
    event('flag_change', 'flagd', 'flagd', 'express', 'on', { old_value: 'off' }),
  ],
  [
    {},
    '{"msg":"flag evaluation","flagKey":"express","variant":"on","defaultVariant":"off","client":"cart"}',
    event('flag_change', 'flagd', 'cart', 'express', 'on'),
  ],
  [{}, '{"msg":"flag evaluation","flagKey":"express","variant":"off","defaultVariant":"off"}', undefined],
  [
    {},
    kubernetes('OOMKilling', 'Memory limit reached. MemoryLimit: 256Mi'),
    event('restart', 'kubernetes', 'shop/cart-6f8d7c9b4-k2m9x', 'cart-6f8d7c9b4-k2m9x', 'OOMKilled', { old_value: 'limit=256Mi' }),
  ],
  [
    cart,
    kubernetes('Unhealthy', 'Readiness probe failed: timeout'),
    event('restart', 'kubernetes', 'cart', 'cart-6f8d7c9b4-k2m9x', 'probe_failure', { old_value: 'readiness' }),
  ],
  [
    cart,
    kubernetes('ScalingReplicaSet', 'Scaled up replica set cart-6f8d7c9b4 to 4 from 2', 'cart'),
    event('scale_event', 'kubernetes', 'cart', 'cart', '4', { old_value: '2' }),
  ],
  [cart, kubernetes('Pulled', 'Container image already present'), undefined],
  [
    {},
    postgres('LOG:  duration: 4521.234 ms  statement: SELECT 1'),
    event('saturation', 'postgres', 'postgres', 'orders', 'slow_query:4521.234ms', { actor: 'shop', ...db }),
  ],
  [{}, postgres('LOG:  duration: 12.5 ms  statement: SELECT 1'), undefined],
  [
    {},
    postgres('LOG:  automatic vacuum of table "orders.public.items": index scans: 1'),
    event('saturation', 'postgres', 'postgres', 'orders.public.items', 'autovacuum'),
  ],
  [{}, postgres('ERROR:  canceling statement due to lock timeout'), event('saturation', 'postgres', 'postgres', 'orders', 'lock_timeout')],
  [
    {},
    postgres('LOG:  temporary file: path "base/pgsql_tmp/1.0", size 134217728'),
    event('saturation', 'postgres', 'postgres', 'orders', 'temp_file:128MB'),
  ],
  [
    {},
    postgres('LOG:  checkpoint complete: wrote 9 buffers; write=31.0 s, sync=0.1 s, total=31.250 s; sync files=3'),
    event('saturation', 'postgres', 'postgres', 'orders', 'slow_checkpoint:31.250s'),
  ],
  [
    {},
    postgres('FATAL:  requested WAL segment 00000001000000000000003A has already been removed'),
    event('dependency_failure', 'postgres', 'postgres', 'orders', 'replication_slot_invalidated'),
  ],
  [{ service: 'orders-db' }, 'ERROR:  deadlock detected', event('saturation', 'postgres', 'orders-db', 'orders-db', 'deadlock_detected')],
  [{}, postgres('ERROR:  relation "x" does not exist'), undefined],
  [{}, redis('* Ready to accept connections tcp'), event('restart', 'redis', 'redis', 'redis', 'started')],
  [{}, redis('# maxmemory-policy: volatile-lru'), event('saturation', 'redis', 'redis', 'redis', 'eviction_active:volatile-lru')],
  [{}, redis('- Accepted 10.0.0.9:41234'), undefined],
  [
    {},
    kafka('Preparing to rebalance group totals in generation 4'),
    event('saturation', 'kafka', 'kafka', 'totals', 'rebalance_triggered', { timestamp: '2026-03-02 09:14:05,250' }),
  ],
  [{}, kafka('Broker 3 has requested controlled shutdown'), event('restart', 'kafka', 'kafka', 'broker_3', 'controlled_shutdown')],
  [
    cart,
    '{"level":50,"pid":1,"msg":"failed","err":{"type":"TypeError","message":"total is undefined"}}',
    event('dependency_failure', 'pino', 'cart', 'cart', 'TypeError: total is undefined'),
  ],
  [cart, '{"level":30,"pid":1,"msg":"served"}', undefined],
  [cart, '{"level":"fatal","caller":"main.go:1","msg":"out of luck"}', event('restart', 'gojson', 'cart', 'cart', 'panic: out of luck')],
  [
    cart,
    '{"level":"error","caller":"pay.go:1","msg":"failed to charge","error":"declined"}',
    event('dependency_failure', 'gojson', 'cart', 'cart', 'payment_charge_failed: declined'),
  ],
  [
    cart,
    '{"loggerName":"a.B","level":"ERROR","thrown":{"name":"java.lang.OutOfMemoryError"}}',
    event('restart', 'log4j2', 'cart', 'a.B', 'OOM: java.lang.OutOfMemoryError'),
  ],
  [cart, '{"loggerName":"a.B","level":"INFO","message":"started"}', undefined],
  [{ ...cart, severity: 21 }, 'going down', event('restart', 'generic', 'cart', 'cart', 'going down')],
  [{ ...cart, severity: 17 }, long, event('dependency_failure', 'generic', 'cart', 'cart', 'é'.repeat(40))],
  [{ ...cart, severity: 9 }, 'no error at all', undefined],
  [cart, 'INFO retrying after error', undefined],
  [cart, 'connection refused by orders', event('dependency_failure', 'generic', 'cart', 'cart', 'connection refused by orders')],
  [cart, 'served 12 requests', undefined],
  [{}, 'fatal: nobody knows whose line this is', undefined],
]

test.each(CASES)('%o %s', (told, line, expected) => {
  const read = readLine(line, told)
  if (expected) expect(read).toMatchObject(expected)
  else expect(read).toBeUndefined()
  expect(JSON.stringify(read ?? null)).not.toContain('raw_line')
})

test.each([
  ['brackets', `[2026-03-02 09:14:05,250] INFO ${' (a'.repeat(300_000)}`],
  ['quotes', `time="x" msg="${'\\"'.repeat(300_000)} app=a`],
  ['pairs', `${'a='.repeat(400_000)}msg="x" app=`],
  ['sizes', `2026-03-02 09:14:05 UTC [1] LOG:  temporary file: ${' size 1'.repeat(150_000)}x`],
  ['nesting', `{"a":${'['.repeat(400_000)}`],
])('a hostile line of %s takes no longer than it is long', (_name, line) => {
  const before = process.threadCpuUsage().user
  for (let round = 0; round < 3; round += 1) readLine(line, cart)
  expect((process.threadCpuUsage().user - before) / 1_000).toBeLessThan(3_000)
})

/** Lines that agents recorded, where `RECORDED_EVENTS` names their file. */
const recorded = process.env['RECORDED_EVENTS']
const events: readonly Fields[] = recorded
  ? readFileSync(recorded, 'utf8')
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line))
  : []

/** What an agent knew besides the line: the record's attributes and severity. */
function toldBy(event: Fields): Told {
  const service = String(event['service_name'])
  if (event['vendor'] === 'flagd') {
    return { service, attributes: { flagKey: event['entity'], variant: event['new_value'], defaultVariant: event['old_value'] } }
  }
  if (event['vendor'] !== 'generic') return { service }
  const [type, message] = String(event['new_value']).split(': ')
  const isTold = !String(event['raw_line']).startsWith(String(event['new_value']))
  return {
    service,
    severity: event['event_type'] === 'restart' ? 21 : 17,
    ...(isTold && { attributes: { 'exception.type': type, 'exception.message': message } }),
  }
}

test('recorded lines become what their agents made of them, without the line', () => {
  const differing = events.filter((event) => {
    const { raw_line, timestamp, ...rest } = event
    const expected = timestamp === '' ? rest : { ...rest, timestamp }
    const read = readLine(String(raw_line), toldBy(event))
    return !expect.objectContaining(expected).asymmetricMatch(read) || Object.keys(read ?? {}).length !== Object.keys(expected).length
  })
  expect(differing).toEqual([])
})
