import type { DiagnosisInput } from '../../src/domain/diagnosis/model.ts'
import { byEventType, type EventType } from '../../src/domain/event/event.ts'
import { type EventId, toId } from '../../src/domain/ids.ts'
import type { ServiceWindow, WindowEntry } from '../../src/domain/window/window.ts'

export const ALERT_AT = new Date('2026-03-01T12:00:00Z')

let serial = 0

/** An entry so many seconds after the alert (negative: before it). */
export function makeEntry(seconds: number, eventType: EventType, fields: Partial<WindowEntry> = {}): WindowEntry {
  const at = new Date(ALERT_AT.getTime() + seconds * 1_000)
  serial += 1
  return {
    id: toId<EventId>(`00000000-0000-4000-8000-${String(serial).padStart(12, '0')}`),
    eventType,
    vendor: 'argocd',
    entity: 'app',
    oldValue: null,
    newValue: null,
    actor: null,
    sha: null,
    environment: null,
    url: null,
    details: null,
    confidence: 0.9,
    timestamp: at,
    firstTimestamp: at,
    expiresAt: new Date(at.getTime() + 3_600_000),
    count: 1,
    joinedBy: 'service_name',
    isExpired: false,
    ...fields,
  }
}

export function makeWindow(service: string, ...entries: readonly WindowEntry[]): ServiceWindow {
  return { service, window: { entries: byEventType((type) => entries.filter(({ eventType }) => eventType === type)), updatedAt: null } }
}

export const declareEdge = (caller: string, callee: string) => ({ caller, callee, seen: 0, lastSeenAt: null, declared: true })

/** frontend → checkout-api → payments-api → ledger, and a service that nothing leads to. */
export const SHOP: Omit<DiagnosisInput, 'windows'> = {
  alert: { service: 'frontend', triggeredAt: ALERT_AT, title: 'errors' },
  graph: {
    edges: [
      declareEdge('frontend', 'checkout-api'),
      declareEdge('checkout-api', 'payments-api'),
      declareEdge('payments-api', 'ledger'),
      declareEdge('frontend', 'search'),
      declareEdge('other', 'unrelated'),
    ],
  },
  counts: { hoursObserved: 0, kinds: [] },
  patterns: [],
  observedUntil: ALERT_AT,
}
