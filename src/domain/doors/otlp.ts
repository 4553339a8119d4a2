import type { Evaluation } from '../event/flag.ts'
import type { Delivery, Door, DoorAnswer, DoorSettings, SentEvent, Signals } from './door.ts'
import { labelledService, readKubernetesEvent, toKubernetesSignal } from './kubernetes-event.ts'
import { CONFIDENCE, judgeEnvironment, mappedService, present, SYMPTOM_TTL_SECONDS, toEvent, toReason } from './mapping.ts'
import { encodeNested, encodeNumberAndText } from './otlp-protobuf.ts'
import { type LogRecord, readRecords } from './otlp-record.ts'
import { at, toInstant, toName, toText } from './reading.ts'
import { readLine } from './vendor-lines/index.ts'

/** A record's event, or why there is none. `isRejected`: it names an event, and lacks what an event needs. */
type Reading = SentEvent | { readonly ignored: string; readonly isRejected?: true }
/** What a record's rule needs beside the record. */
type Context = { readonly settings: DoorSettings; readonly service: string | undefined; readonly environment: string | undefined }

const UNTOUCHED_REASONS = new Set(['default', 'static', 'disabled'])
/** What SDKs say for a service that nobody has named. */
const UNNAMED = /^unknown_service(?::|$)/
const MAX_REASONS = 20

function read({ body, settings }: Delivery): Signals {
  const events = new Map<string, SentEvent>()
  const evaluations = new Map<string, Evaluation>()
  const reasons = new Map<string, number>()
  let [records, rejected] = [0, 0]
  for (const record of readRecords(body)) {
    records += 1
    const evaluation = readEvaluator(record, settings)
    if (evaluation) evaluations.set(JSON.stringify(evaluation), evaluation)
    const reading = readRecord(record, settings)
    if ('ignored' in reading) {
      if (reading.isRejected) rejected += 1
      countReason(reasons, reading.ignored)
    } else {
      const key = toChangeKey(reading)
      if (!events.has(key)) events.set(key, reading)
    }
  }
  return {
    events: [...events.values()],
    alerts: [],
    ...(evaluations.size > 0 && { evaluations: [...evaluations.values()] }),
    ...present({ ignored: records === 0 ? 'no log records' : toTally(reasons), rejected: rejected || undefined }),
  }
}

function countReason(reasons: Map<string, number>, told: string): void {
  const reason = reasons.size < MAX_REASONS || reasons.has(told) ? told : 'other reasons'
  reasons.set(reason, (reasons.get(reason) ?? 0) + 1)
}

/** Repeats of one change within a request are one event: the first. */
function toChangeKey(event: SentEvent): string {
  const { service_name, vendor, entity, event_type, old_value, new_value, actor, sha, environment } = event
  return JSON.stringify([service_name, vendor, entity, event_type, old_value, new_value, actor, sha, environment])
}

function toTally(reasons: ReadonlyMap<string, number>): string | undefined {
  const all = [...reasons].sort(([, a], [, b]) => b - a)
  return all.length === 0 ? undefined : toReason(all.map(([reason, count]) => (count === 1 ? reason : `${count} × ${reason}`)).join(', '))
}

function judge({ attributes, resource }: LogRecord, settings: DoorSettings) {
  const attribute = (name: string) => attributes.get(name) ?? resource.get(name)
  return judgeEnvironment(settings, attribute('deployment.environment.name') ?? attribute('deployment.environment'))
}

function toOwnService({ resource }: LogRecord, settings: DoorSettings): string | undefined {
  const told = toName(resource.get('service.name'))
  return mappedService(settings, [told]) ?? (told !== undefined && UNNAMED.test(told) ? undefined : told)
}

const isEvaluation = ({ eventName }: LogRecord) => eventName === 'feature_flag.evaluation' || eventName === 'feature_flag'

/** Who evaluated which flag: whoever gets the default asks for it, too, though nothing is to be told of that. */
function readEvaluator(record: LogRecord, settings: DoorSettings): Evaluation | undefined {
  if (!isEvaluation(record) || 'ignored' in judge(record, settings)) return undefined
  const [service, flag] = [toOwnService(record, settings), toName(record.attributes.get('feature_flag.key'))]
  return service === undefined || flag === undefined ? undefined : { service, flag }
}

function readRecord(record: LogRecord, settings: DoorSettings): Reading {
  const environment = judge(record, settings)
  const service = toOwnService(record, settings)
  const context = { settings, service, environment: 'ignored' in environment ? undefined : environment.environment }
  const reading = readRule(record, context)
  // Most lines tell nothing anywhere: only what would have been an event is left out for its environment.
  return 'ignored' in environment && !('ignored' in reading) ? environment : reading
}

/** The first rule that a record matches. */
function readRule(record: LogRecord, context: Context): Reading {
  const { attributes, body } = record
  if (isEvaluation(record)) return readEvaluation(record, context)
  if (attributes.has('deployment.name') || attributes.has('deployment.id')) return readDeployment(record, context)
  if (attributes.get('k8s.resource.name') === 'events') return readObjectEvent(record, context)
  if (attributes.has('k8s.event.reason')) return readReceiverEvent(record, context)
  return typeof body === 'string' ? readLogLine(body, record, context) : { ignored: 'no rule' }
}

function readEvaluation({ attributes, time, body }: LogRecord, { settings, service, environment }: Context): Reading {
  const attribute = (...names: readonly string[]) => names.map((name) => attributes.get(name)).find((value) => value !== undefined)
  const reason = toText(attribute('feature_flag.result.reason', 'feature_flag.evaluation.reason', 'feature_flag.reason'))?.toLowerCase()
  if (reason !== undefined && UNTOUCHED_REASONS.has(reason)) return { ignored: `flag evaluation: ${reason}` }
  const flag = toName(attribute('feature_flag.key'))
  const told = attribute('feature_flag.result.variant', 'feature_flag.variant', 'feature_flag.result.value', 'feature_flag.value')
  const value = told ?? at(body, 'value')
  const variant = toText(typeof value === 'boolean' ? String(value) : typeof value === 'object' ? JSON.stringify(value) : value)
  if (variant === undefined && reason === 'error') return { ignored: 'flag evaluation: error' }
  if (flag === undefined || variant === undefined) return { ignored: 'flag evaluation without key or result', isRejected: true }
  const vendor = toName(attribute('feature_flag.provider.name', 'feature_flag.provider_name')) ?? 'openfeature'
  return toEvent({
    service: service ?? mappedService(settings, [flag]) ?? toName(settings.service) ?? vendor,
    vendor,
    entity: flag,
    type: 'flag_change',
    new: variant,
    confidence: CONFIDENCE.release,
    ttlSeconds: SYMPTOM_TTL_SECONDS,
    at: time,
    environment,
  })
}

function readDeployment({ attributes, resource, time }: LogRecord, { settings, service, environment }: Context): Reading {
  const name = toName(attributes.get('deployment.name'))
  const entity = name ?? toName(attributes.get('deployment.id'))
  const concerned = service ?? mappedService(settings, [name]) ?? toName(settings.service) ?? name
  if (entity === undefined || concerned === undefined) return { ignored: 'deployment without a service', isRejected: true }
  const status = toText(attributes.get('deployment.status'))?.toLowerCase()
  return toEvent({
    service: concerned,
    vendor: 'opentelemetry',
    entity,
    type: 'deploy',
    new: status === 'failed' || status === 'succeeded' ? status : 'started',
    sha: attributes.get('vcs.ref.head.revision') ?? resource.get('vcs.ref.head.revision'),
    confidence: CONFIDENCE.stated,
    at: time,
    environment,
  })
}

/** An Event from the k8sobjects receiver: wrapped as `{type, object}` by a watch, or bare. */
function readObjectEvent({ attributes, resource, body }: LogRecord, { settings, service, environment }: Context): Reading {
  const object = at(body, 'object')
  const change = object === undefined ? attributes.get('event.type') : (at(body, 'type') ?? attributes.get('event.type'))
  if (change === 'DELETED') return { ignored: 'a Kubernetes event that was deleted' }
  const event = object ?? body
  const told = service ?? toName(resource.get('k8s.deployment.name')) ?? labelledService(at(event, 'metadata', 'labels'))
  return toKubernetesSignal(readKubernetesEvent(event), settings, { service: told, environment })
}

/** An Event from the k8s_events receiver: its object is the resource, its note the body. */
function readReceiverEvent({ attributes, resource, body, time }: LogRecord, { settings, service, environment }: Context): Reading {
  const event = {
    reason: toName(attributes.get('k8s.event.reason')),
    note: toText(body) ?? '',
    kind: toName(resource.get('k8s.object.kind')),
    namespace: toName(attributes.get('k8s.namespace.name')) ?? toName(resource.get('k8s.namespace.name')),
    name: toName(resource.get('k8s.object.name')),
    at: time ?? toInstant(attributes.get('k8s.event.start_time')),
  }
  const label = toName(resource.get('k8s.deployment.name')) ?? toName(resource.get('app.kubernetes.io/name')) ?? toName(resource.get('app'))
  return toKubernetesSignal(event, settings, { service: service ?? label, environment })
}

function readLogLine(text: string, { attributes, severity, time }: LogRecord, { settings, service, environment }: Context): Reading {
  const line = readLine(text, { attributes, severity })
  if (!line) return { ignored: 'no rule' }
  const concerned = line.client ?? service ?? toName(settings.service) ?? line.service
  if (concerned === undefined) return { ignored: 'a line without service.name', isRejected: true }
  return toEvent({
    ...line,
    service: mappedService(settings, [line.client]) ?? concerned,
    at: toLineTime(line.timestamp) ?? time,
    environment,
  })
}

/** A line's own time as it spells it, if it is one. */
const toLineTime = (text: string | undefined) => (toInstant(text) === undefined ? undefined : text)

function answer({ rejected = 0, ignored = '' }: Signals, { header }: Delivery): DoorAnswer {
  const contentType = header('content-type')
  if (isProtobuf(contentType)) {
    const body = rejected > 0 ? encodeNested(encodeNumberAndText(rejected, ignored)) : new Uint8Array()
    return { status: 200, contentType: 'application/x-protobuf', body }
  }
  const partialSuccess = { rejectedLogRecords: String(rejected), errorMessage: ignored }
  return { status: 200, contentType: 'application/json', body: JSON.stringify(rejected > 0 ? { partialSuccess } : {}) }
}

/** A `google.rpc.Status` in the request's encoding. */
function refusal(status: number, message: string, contentType: string | undefined): DoorAnswer {
  return isProtobuf(contentType)
    ? { status, contentType: 'application/x-protobuf', body: encodeNumberAndText(0, message) }
    : { status, contentType: 'application/json', body: JSON.stringify({ message }) }
}

const isProtobuf = (contentType: string | undefined) => /^\s*application\/(?:x-)?protobuf\b/i.test(contentType ?? '')

const attribute = (key: string, stringValue: string) => ({ key, value: { stringValue } })

export const otlp: Door = {
  title: 'OpenTelemetry logs',
  brings: 'logs',
  fixedPaths: ['/v1/logs'],
  mediaTypes: ['json', 'protobuf'],
  maxBytes: 4_194_304,
  whenBusy: 429,
  config: ['service', 'service_map', 'environments'],
  read,
  answer,
  refusal,
  example: {
    body: {
      resourceLogs: [
        {
          resource: { attributes: [attribute('service.name', 'checkout'), attribute('deployment.environment.name', 'production')] },
          scopeLogs: [
            {
              logRecords: [
                {
                  timeUnixNano: '1772442870250000000',
                  severityNumber: 9,
                  eventName: 'feature_flag.evaluation',
                  attributes: [
                    attribute('feature_flag.key', 'express-checkout'),
                    attribute('feature_flag.result.variant', 'on'),
                    attribute('feature_flag.result.reason', 'targeting_match'),
                    attribute('feature_flag.provider.name', 'flagd'),
                  ],
                },
                {
                  observedTimeUnixNano: '1772442871000000000',
                  body: { stringValue: '2026-03-02 09:14:31.000 UTC [812] shop@orders ERROR:  deadlock detected' },
                },
              ],
            },
          ],
        },
      ],
    },
  },
  setup: `In a Collector's configuration:

    exporters:
      otlphttp/noctuary:
        logs_endpoint: {{url}}
        headers: {Authorization: "Bearer {{token}}"}
    processors:
      batch: {send_batch_size: 512}

and name the exporter in a \`logs\` pipeline. A cluster's events come with the receiver \`k8sobjects\` or \`k8s_events\`. An SDK takes its environment instead; gRPC is not spoken here:

    OTEL_EXPORTER_OTLP_LOGS_ENDPOINT={{url}}
    OTEL_EXPORTER_OTLP_LOGS_HEADERS=Authorization=Bearer%20{{token}}
    OTEL_EXPORTER_OTLP_LOGS_PROTOCOL=http/protobuf

Kubernetes events, feature-flag evaluations, deployments and the lines of ten vendors become events; every other line is dropped, and no line is stored.`,
}
