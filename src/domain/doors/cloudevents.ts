import { MAX_BATCH_EVENTS } from '../event/event.ts'
import { readCdEvent } from './cdevents.ts'
import { type CloudEvent, toBinary, toStructured } from './cloud-event.ts'
import type { Delivery, Door, Signals } from './door.ts'
import { readTopologyChange } from './kubewatch.ts'
import { ignore, takeAlerts, toReason } from './mapping.ts'
import { at } from './reading.ts'

const BATCH = /^\s*application\/cloudevents-batch\+json\b/i

function read(delivery: Delivery): Signals {
  const { body, header } = delivery
  if (Array.isArray(body) && (BATCH.test(header('content-type') ?? '') || at(body, 0, 'specversion') !== undefined)) {
    const left =
      body.length > MAX_BATCH_EVENTS ? [ignore(`${body.length - MAX_BATCH_EVENTS} events beyond the ${MAX_BATCH_EVENTS} of one batch`)] : []
    return join([...body.slice(0, MAX_BATCH_EVENTS).map((event) => readOne(toStructured(event), delivery)), ...left])
  }
  const event = at(body, 'specversion') === undefined && header('ce-specversion') !== undefined ? toBinary(delivery) : toStructured(body)
  return event || isCloudEvent(delivery) ? readOne(event, delivery) : { ...ignore('no CloudEvent'), isUnsupported: true }
}

const isCloudEvent = ({ header }: Delivery) =>
  header('ce-specversion') !== undefined || /^\s*application\/cloudevents(?:-batch)?\+json\b/i.test(header('content-type') ?? '')

function readOne(event: CloudEvent | undefined, { settings }: Delivery): Signals {
  if (!event) return ignore('no type')
  const signals =
    event.type === 'KUBERNETES_TOPOLOGY_CHANGE'
      ? readTopologyChange(event, settings)
      : (readCdEvent(event, settings) ?? ignore(`type ${event.type}`))
  const isTimed = signals.events.every(({ timestamp }) => timestamp !== undefined)
  return isTimed || event.id === undefined ? signals : { ...signals, idempotencyKey: event.id }
}

function join(parts: readonly Signals[]): Signals {
  const reasons = new Set(parts.flatMap(({ ignored }) => ignored ?? []))
  const events = parts.flatMap((part) => part.events)
  const key = parts.find(({ idempotencyKey }) => idempotencyKey !== undefined)?.idempotencyKey
  const { alerts, left } = takeAlerts(parts.flatMap((part) => part.alerts))
  const ignored = [...left, ...reasons].join(', ') || (parts.length === 0 ? 'an empty batch' : undefined)
  return {
    events,
    alerts,
    ...(ignored !== undefined && { ignored: toReason(ignored) }),
    ...(key !== undefined && { idempotencyKey: key }),
  }
}

export const cloudevents: Door = {
  title: 'CloudEvents and CDEvents',
  brings: 'deploys',
  // HTTP 1.1 Web Hooks for Event Delivery, §4: Azure Event Grid sends nothing without it.
  greeting: { 'WebHook-Allowed-Origin': '*', 'WebHook-Allowed-Rate': '6000' },
  mediaTypes: ['json', 'cloudevents', 'cloudevents-batch'],
  isWhole: (header) => header('ce-specversion') !== undefined,
  maxBytes: 1_048_576,
  whenBusy: 503,
  config: ['service', 'service_map', 'environments', 'wait_seconds'],
  read,
  example: {
    headers: { 'Content-Type': 'application/cloudevents+json' },
    body: {
      specversion: '1.0',
      id: '0b6f2f3e-6d1a-4a1b-9c55-1f2e3d4c5b6a',
      source: '/ci/shop',
      type: 'dev.cdevents.service.deployed.0.3.0',
      subject: 'service/checkout',
      time: '2026-03-02T09:12:08Z',
      datacontenttype: 'application/json',
      data: {
        context: {
          specversion: '0.5.1',
          id: '0b6f2f3e-6d1a-4a1b-9c55-1f2e3d4c5b6a',
          source: '/ci/shop',
          type: 'dev.cdevents.service.deployed.0.3.0',
          timestamp: '2026-03-02T09:12:08Z',
        },
        subject: {
          id: 'service/checkout',
          source: '/ci/shop',
          content: {
            environment: { id: 'production' },
            artifactId: 'pkg:oci/checkout@sha256%3A9f2c1d0e8b7a6f5e4d3c2b1a09f8e7d6c5b4a3928170f6e5d4c3b2a190807f6e',
          },
        },
      },
    },
  },
  setup: `Send CloudEvents 1.0 over HTTP, in binary, structured or batch mode, to {{url}} with the header \`Authorization: Bearer {{token}}\`. Where only an address can be set, use the one with the token in its path.

CDEvents 0.4 and 0.5 for services, deployments, environments and incidents are read, and kubewatch's changes of images; other types are ignored.`,
}
