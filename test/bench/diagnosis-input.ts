import { createHash } from 'node:crypto'
import type { DiagnosisInput } from '../../src/domain/diagnosis/model.ts'
import { type ChangeText, isChangeType } from '../../src/domain/event/event.ts'
import { type JoinRule, matchServices, toNameKey } from '../../src/domain/event/service-name.ts'
import { type EventId, toId } from '../../src/domain/ids.ts'
import type { StoredLife } from '../../src/domain/window/copy.ts'
import type { ServiceWindow } from '../../src/domain/window/window.ts'
import { buildWindow } from '../../src/domain/window/window.ts'
import type { Case, CaseEvent } from './diagnosis-cases.ts'

type Membership = { readonly service: string; readonly joinedBy: JoinRule }

/**
 * A case as the product would hand it to the engine: events folded into the windows of the services they join, the
 * case's dependencies as declared edges, and its own history.
 */
export function toInput(each: Case): DiagnosisInput {
  return {
    alert: { service: each.alert.service, triggeredAt: new Date(each.alert.triggered_at), title: each.alert.title ?? null },
    windows: toWindows(each),
    graph: { edges: each.dependencies.map(([caller, callee]) => ({ caller, callee, seen: 0, lastSeenAt: null, declared: true })) },
    counts: toCounts(each),
    patterns: [],
    observedUntil: new Date(each.observed_until),
  }
}

function toCounts({ counts }: Case): DiagnosisInput['counts'] {
  const kinds = counts?.kinds ?? []
  return {
    hoursObserved: counts?.hours_observed ?? 0,
    kinds: kinds.map(({ event_type, value_class, ...kind }) => ({ ...kind, eventType: event_type, valueClass: value_class })),
  }
}

function toWindows(each: Case): readonly ServiceWindow[] {
  const until = each.observed_until
  const names = [each.alert.service ?? [], each.dependencies, each.events.map((event) => event.service_name)].flat(2)
  const services = new Map(names.map((name) => [toNameKey(name), name]))
  const seen = each.events.filter((event) => event.timestamp <= until && toKeptUntil(event) > until)
  const ids = toEventIds(seen)
  const members = seen.flatMap((event, index) => toMemberships(event, services).map((member) => ({ ...member, event, id: ids[index] })))
  const byService = Map.groupBy(members, ({ service }) => service)
  return [...byService].map(([service, joined]) => {
    const lives = Map.groupBy(joined, ({ event }) => toUuid(JSON.stringify(toText(event))) + toNameKey(event.service_name))
    const stored = [...lives].map(([lifeKey, parts]): StoredLife => {
      const sorted = parts.toSorted((a, b) => b.event.timestamp - a.event.timestamp || ((a.id ?? '') < (b.id ?? '') ? -1 : 1))
      return toLife(lifeKey, sorted)
    })
    return { service, window: buildWindow(stored, new Map(), new Date(until)) }
  })
}

const CHANGES_KEPT_MS = 24 * 3_600_000

/** Changes are kept for a day, whatever their TTL. */
function toKeptUntil({ event_type, timestamp, ttl_seconds }: CaseEvent): number {
  return timestamp + Math.max(ttl_seconds * 1_000, isChangeType(event_type) ? CHANGES_KEPT_MS : 0)
}

type Part = Membership & { readonly event: CaseEvent; readonly id: EventId | undefined }

function toLife(lifeKey: string, latestFirst: readonly Part[]): StoredLife {
  const [latest] = latestFirst
  const first = latestFirst.at(-1)
  if (!latest?.id || !first) throw new Error('a life without an event')
  const expiries = latestFirst.map(({ event }) => event.timestamp + event.ttl_seconds * 1_000)
  return {
    lifeKey,
    id: latest.id,
    confidence: latest.event.confidence,
    timestamp: new Date(latest.event.timestamp),
    orderedAt: new Date(latest.event.timestamp),
    joinedBy: latest.joinedBy,
    firstTimestamp: new Date(first.event.timestamp),
    lastReceivedAt: new Date(latest.event.timestamp),
    expiresAt: new Date(Math.max(...expiries)),
    earliestExpiresAt: new Date(Math.min(...expiries)),
    count: latestFirst.reduce((sum, { event }) => sum + (event.count ?? 1), 0),
    isCounted: true,
    url: null,
    details: null,
    isExpired: false,
    text: toText(latest.event),
  }
}

function toMemberships(event: CaseEvent, services: ReadonlyMap<string, string>): readonly Membership[] {
  const names = { serviceName: event.service_name, vendor: event.vendor, entity: event.entity }
  const joined = matchServices(names).flatMap(({ name, rule }): Membership[] => {
    const service = services.get(toNameKey(name))
    return service === undefined || toNameKey(name) === toNameKey(event.service_name) ? [] : [{ service, joinedBy: rule }]
  })
  const own = { service: services.get(toNameKey(event.service_name)) ?? event.service_name, joinedBy: 'service_name' as const }
  return [own, ...new Map(joined.map((member) => [member.service, member])).values()]
}

function toText(event: CaseEvent): ChangeText {
  return {
    eventType: event.event_type,
    vendor: event.vendor,
    entity: event.entity,
    oldValue: event.old_value ?? null,
    newValue: event.new_value ?? null,
    actor: event.actor ?? null,
    sha: event.sha ?? null,
    environment: null,
  }
}

/** Ids from what events say, so that they do not depend on their order; equal ones are numbered. */
function toEventIds(events: readonly CaseEvent[]): readonly EventId[] {
  const copies = new Map<string, number>()
  return events.map((event) => {
    const content = JSON.stringify([event.service_name, toText(event), event.timestamp])
    const copy = copies.get(content) ?? 0
    copies.set(content, copy + 1)
    return toId<EventId>(toUuid(`${content}${copy}`))
  })
}

function toUuid(text: string): string {
  const hex = createHash('sha256').update(text).digest('hex')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`
}
