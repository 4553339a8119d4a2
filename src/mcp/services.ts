import { AppError } from '../domain/errors.ts'
import { EVENT_TYPES, type EventType, isChangeType } from '../domain/event/event.ts'
import { nearestNames } from '../domain/event/nearest-name.ts'
import { toNameKey } from '../domain/event/service-name.ts'
import type { GraphEdge } from '../domain/graph/service-graph.ts'
import { parseId, type ServiceId } from '../domain/ids.ts'
import { quoteName } from '../domain/text.ts'
import { HOUR_MS } from '../domain/timestamp.ts'
import { daysBefore } from '../domain/window/sweep.ts'
import { toHappenedAt, type WindowEntry } from '../domain/window/window.ts'
import { listChanges } from '../store/changes.ts'
import { readServiceGraph } from '../store/service-graph.ts'
import { findService, listServices } from '../store/services.ts'
import { readWindow } from '../usecases/read-window.ts'
import { type Arguments, getText, readChoice, readChoices, readText, readTime } from './arguments.ts'
import type { Call } from './call.ts'
import { AS_DATA, toItem, toName } from './quoted.ts'
import { MAX_BYTES } from './sizes.ts'
import { within } from './within.ts'

const MAX_NEAREST = 5
const MAX_LISTED = 200

/** The service with this name or id; throws `not_found` with the names most like it. */
export async function getService({ deps, tenantId }: Call, text: string): Promise<{ readonly id: ServiceId; readonly name: string }> {
  const id = parseId<ServiceId>(text)
  const service = await findService(deps.db, tenantId, id === undefined ? { name: text } : { id })
  if (service) return service
  const services = await listServices(deps.db, tenantId, { heardOfSince: new Date(0) })
  // A name is asked for as it was told, which is not always as it is.
  const told = services.find(({ name }) => toName(name) === text)
  if (told) return told
  const names = services.map(({ name }) => name)
  const nearest = nearestNames(text, names, MAX_NEAREST).map((name) => quoteName(toName(name)))
  const hint = nearest.length === 0 ? 'list_services has the names' : `the nearest: ${nearest.join(', ')}`
  throw new AppError('not_found', `no such service; ${hint}`)
}

export async function getChangesTool(call: Call, args: Arguments) {
  const { db, now } = call.deps
  const isFull = readChoice(args, 'detail', ['full', 'compact']) === 'full'
  const service = readText(args, 'service')
  const until = readTime(args, 'until')
  const ended = until === undefined ? now() : new Date(until)
  const since = readTime(args, 'since') ?? new Date(ended.getTime() - HOUR_MS).toISOString()
  const types = readChoices(args, 'types', EVENT_TYPES) ?? EVENT_TYPES.filter(isChangeType)
  const limit = isFull ? 100 : 50
  const list = (serviceName: string | undefined) => listChanges(db, call.tenantId, { types, limit: limit + 1, since, until, serviceName })
  const named = await list(service)
  // A name that finds nothing may be misspelt, or not quite as it was told.
  const found = named.length > 0 || service === undefined ? named : await list((await getService(call, service)).name)
  return within(isFull ? MAX_BYTES.full : MAX_BYTES.usual, (room) => {
    const shown = room.first(found, limit)
    const last = shown.at(-1)
    const rest = found.length > shown.length ? { more_before: (last ?? found[0])?.timestamp.toISOString() } : {}
    return { note: AS_DATA, since, until: ended.toISOString(), changes: shown.map((change) => toItem(change, room)), ...rest }
  })
}

export async function getContextTool(call: Call, args: Arguments) {
  const isFull = readChoice(args, 'detail', ['full', 'compact']) === 'full'
  const asOf = readTime(args, 'at')
  const { id } = await getService(call, getText(args, 'service'))
  return tellContext(call, id, asOf, isFull)
}

/** A service's state window: what changed, and what goes wrong, each newest first. */
export async function tellContext(call: Call, serviceId: ServiceId, asOf: string | undefined, isFull: boolean) {
  const { serviceName, window } = await readWindow(call.deps, { reader: { keyHash: call.keyHash }, serviceId, asOf, defer: call.defer })
  const of = (isWanted: (type: EventType) => boolean) =>
    EVENT_TYPES.filter(isWanted)
      .flatMap((type) => window.entries[type])
      .toSorted((a, b) => toHappenedAt(b).getTime() - toHappenedAt(a).getTime())
      .map((entry) => ({ ...entry, serviceName }))
  const [changes, symptoms] = [of(isChangeType), of((type) => !isChangeType(type))]
  return within(isFull ? MAX_BYTES.full : MAX_BYTES.usual, (room) => {
    const [shownChanges, shownSymptoms] = [room.first(changes, isFull ? 60 : 30), room.first(symptoms, isFull ? 60 : 20)]
    const tell = (entry: WindowEntry & { readonly serviceName: string }) => {
      const first = entry.count > 1 ? { first_at: entry.firstTimestamp.toISOString() } : {}
      return { ...toItem(entry, room), ...first }
    }
    return {
      note: AS_DATA,
      service: toName(serviceName),
      updated_at: window.updatedAt?.toISOString() ?? null,
      changes: shownChanges.map(tell),
      symptoms: shownSymptoms.map(tell),
      left_out: changes.length + symptoms.length - shownChanges.length - shownSymptoms.length,
    }
  })
}

export async function listServicesTool(call: Call, args: Arguments) {
  const query = toNameKey(readText(args, 'query') ?? '')
  const heardOfSince = daysBefore(call.deps.now(), call.deps.retention.silentServiceDays)
  const services = (await listServices(call.deps.db, call.tenantId, { heardOfSince })).filter(({ name }) => toNameKey(name).includes(query))
  return within(MAX_BYTES.usual, (room) => {
    const shown = room.first(services, MAX_LISTED)
    return {
      note: AS_DATA,
      services: shown.map(({ name, lastEventAt }) => ({ name: toName(name), last_event_at: lastEventAt?.toISOString() ?? null })),
      left_out: services.length - shown.length,
    }
  })
}

export async function getDependenciesTool(call: Call, args: Arguments) {
  const { name } = await getService(call, getText(args, 'service'))
  const { edges } = await readServiceGraph(call.deps.db, call.tenantId)
  const key = toNameKey(name)
  const calls = edges.filter(({ caller }) => toNameKey(caller) === key)
  const callers = edges.filter(({ callee }) => toNameKey(callee) === key)
  return within(MAX_BYTES.usual, (room) => {
    const [shownCalls, shownCallers] = [room.first(calls, 50), room.first(callers, 50)]
    return {
      note: AS_DATA,
      service: toName(name),
      calls: shownCalls.map((edge) => toEdge(edge, edge.callee)),
      called_by: shownCallers.map((edge) => toEdge(edge, edge.caller)),
      left_out: calls.length + callers.length - shownCalls.length - shownCallers.length,
    }
  })
}

function toEdge({ seen, lastSeenAt, declared }: GraphEdge, name: string) {
  return { service: toName(name), declared, failures_seen: seen, last_seen_at: lastSeenAt?.toISOString() ?? null }
}
