import type { Clock, Database, Logging } from '../deps.ts'
import { earlier, later } from '../domain/compare.ts'
import { MAX_HOPS } from '../domain/diagnosis/facts.ts'
import { listKeys } from '../domain/diagnosis/mentions.ts'
import type { Alert, ChangeFeed, DiagnosisInput } from '../domain/diagnosis/model.ts'
import { AppError, nameOf } from '../domain/errors.ts'
import { isCallFailure, isChangeType } from '../domain/event/event.ts'
import { toNameKey } from '../domain/event/service-name.ts'
import { toKnownServices } from '../domain/graph/callee.ts'
import { namedHosts } from '../domain/graph/host.ts'
import { type GraphEdge, learnEdges, type ServiceGraph, servicesToRead } from '../domain/graph/service-graph.ts'
import type { IncidentId, ServiceId, TenantId } from '../domain/ids.ts'
import { type Embedding, embedEvidence, MIN_SIMILARITY, type SimilarPattern } from '../domain/incident/memory.ts'
import { splitBurst, toWhole } from '../domain/window/burst.ts'
import { type StoredLife, toAppearedAt } from '../domain/window/copy.ts'
import { buildWindow, keepLatest, type StateWindow, weighWindow } from '../domain/window/window.ts'
import { findSimilarIncidents } from '../store/causal-patterns.ts'
import { countKinds, FIRST_COUNTED } from '../store/event-counts.ts'
import {
  chooseRecentServices,
  findKeepers,
  findRecentLives,
  findStoredWindows,
  type ReadLives,
  type ServiceLives,
} from '../store/evidence-windows.ts'
import { findOccurrences } from '../store/occurrences.ts'
import type { Db } from '../store/postgres.ts'

/** Services that are read although nothing connects them to the alert yet: their errors may, and their changes are ruled out by name. */
const MAX_RECENT_SERVICES = 48
/** Of each type in one service; `sampleSize`: occurrences of one change that are looked at. */
const WHOLE = { perType: 200, sampleSize: 2_000 }
/** When that takes too long: less of fewer services, in parts, none of which may spoil the others. */
const REDUCED = { perType: 50, sampleSize: 100 }
const REDUCED_PARTS = [1, 5, 10, 16]
/** In characters: what a snapshot may take, which is kept for each answer to an incident. */
const MAX_WEIGHT = 1_000_000
/** Latest changes of each type that every service is left with, and what the nearest get of the room that is left. */
const LEAST_PER_TYPE = 10
const MORE_PER_TYPE = [WHOLE.perType, 50]
/** How often services are read: those that are known to matter first, then as far as failures lead to others, hop by hop. */
const MAX_ROUNDS = 4
const MAX_PATTERNS = 10
/** What is repeated so often, for so long, may be a trickle and then a burst; of at most so many that is looked at. */
const MIN_REPEATS = 8
const LONG_MS = 6 * 60_000
const MAX_SPLIT = 32
/** Names of services, and of flags and settings, in texts of failures that are looked up in one round, and of others once. */
const MAX_NAMED = 128
const MAX_NAMED_ASIDE = 32

export type Evidence = {
  readonly input: DiagnosisInput
  /** What the incident is like; `undefined` without events. */
  readonly embedding: Embedding | undefined
  /** The database's clock when the first window was read: what was received since then may be missing. */
  readonly readAt: Date
}

/**
 * What a diagnosis of this alert has to see: the windows of the alerting service, of what it depends on, of whom failures
 * name, and of other services with recent changes and events; what is usual in them, and whether their changes are sent. Postgres alone is asked: what Redis knows is not needed.
 */
export async function gatherEvidence(
  deps: Database & Clock & Logging,
  { tenantId, incidentId }: { readonly tenantId: TenantId; readonly incidentId: IncidentId },
  alert: Alert & { readonly service: string },
  graph: ServiceGraph,
  observedUntil: Date | null,
): Promise<Evidence> {
  const counted = new Map<string, ReturnType<typeof countUsual>>()
  const count = (near: readonly ServiceLives[], aside: readonly ServiceId[]) => {
    const told = near.filter(({ lives }, place) => place === 0 || lives.length > 0)
    const ids = [...told.map(({ service }) => service.id), ...aside]
    const key = [...ids.slice(0, FIRST_COUNTED), ...ids.slice(FIRST_COUNTED).toSorted()].join()
    const known = counted.get(key) ?? countUsual(deps, tenantId, ids)
    counted.set(key, known)
    return known
  }
  // Who is known at first is counted beside what is read of them, to which the errors in it seldom add.
  const { near, aside, edges, named, readAt } = await readWindows(deps, tenantId, alert, graph, observedUntil, count)
  const usual = count(
    near,
    aside.map(({ service }) => service.id),
  )
  const read = [...near, ...aside]
  const found = await splitBursts(deps, tenantId, read, observedUntil, readAt)
  const windows = withinLimit(found.map(({ service, lives }) => ({ service, window: buildWindow(lives, new Map(), readAt) })))
  const seen = {
    alert,
    windows: windows.map(({ service, window }) => ({ service: service.name, window })),
    graph,
    feeds: toFeeds(found, named),
    observedUntil: observedUntil ?? later(readAt, alert.triggeredAt),
  }
  const embedding = embedEvidence({ ...seen, graph: { edges } })
  const [counts, similar] = await Promise.all([
    usual,
    embedding ? remember(deps, tenantId, { embedding, except: incidentId, limit: MAX_PATTERNS }) : [],
  ])
  const patterns = similar.filter(({ similarity }) => similarity >= MIN_SIMILARITY).map(({ incidentId: _, ...pattern }) => pattern)
  return { input: { ...seen, counts, patterns }, embedding, readAt }
}

/** Reads windows, the alerting service's first, until the errors in them lead nowhere new. */
async function readWindows(
  deps: Database & Clock & Logging,
  tenantId: TenantId,
  { service, triggeredAt: around }: Alert & { readonly service: string },
  graph: ServiceGraph,
  until: Date | null,
  onFirst: OnFirst,
) {
  const now = deps.now()
  const [triedNames, triedKeys] = [new Set<string>(), new Set<string>()]
  const named = new Map<string, string>()
  let near: readonly ServiceLives[] = []
  /** Of what nothing connects so far: as soon as something does, it is read whole. */
  let aside: readonly ServiceLives[] = []
  let edges = graph.edges
  let readAt: Date | undefined
  for (let round = 0; round < MAX_ROUNDS; round += 1) {
    const names = servicesToRead({ edges }, service, MAX_HOPS, now)
    for (const name of names) named.set(toNameKey(name), name)
    // Of whom only that is to be read so far.
    const asideKeys = new Set(aside.map((each) => toNameKey(each.service.name)))
    const reached = names.map(toNameKey).filter((key) => !triedNames.has(key))
    const nameKeys = new Set([
      ...reached,
      ...pickNew(namesInFailures(near), MAX_NAMED, triedNames, asideKeys),
      ...(round === 1 ? pickNew(namesInFailures(aside), MAX_NAMED_ASIDE, triedNames, asideKeys) : []),
    ])
    const changedKeys = pickNew(keysInFailures(near), MAX_NAMED, triedKeys)
    if (nameKeys.size + changedKeys.length === 0) break
    const read = await (round === 0
      ? readFirstRound(deps, tenantId, [...nameKeys], { around, until }, onFirst)
      : readRound(deps, tenantId, [...nameKeys], changedKeys, { around, until, except: near.map((each) => each.service.id) }))
    readAt ??= read.now
    near = [...near, ...notAmong(near, read.wanted)]
    aside = notAmong(near, [...notAmong(read.beside, aside), ...read.beside])
    edges = [...graph.edges, ...edgesIn([...near, ...aside], now)]
    for (const key of [...nameKeys, ...near.map((window) => toNameKey(window.service.name))]) triedNames.add(key)
    for (const key of changedKeys) triedKeys.add(key)
  }
  return { near, aside, edges, named, readAt: readAt ?? now }
}

function notAmong(known: readonly ServiceLives[], windows: readonly ServiceLives[]): readonly ServiceLives[] {
  const ids = new Set(known.map(({ service }) => service.id))
  return windows.filter(({ service }) => !ids.has(service.id))
}

type OnFirst = (near: readonly ServiceLives[], aside: readonly ServiceId[]) => void
type Asked = { readonly around: Date; readonly until: Date | null }

/** The services that are wanted and, beside them, what others were told of about the alert; `onFirst` is told who they are as soon as that is known. */
async function readFirstRound(
  deps: Database & Logging,
  tenantId: TenantId,
  nameKeys: readonly string[],
  asked: Asked,
  onFirst: OnFirst,
): Promise<Round> {
  const reading = readFirst(deps, tenantId, nameKeys, asked.until)
  const choosing = orNothing(deps, tenantId, () =>
    chooseRecentServices(deps.db, tenantId, nameKeys, { ...asked, most: MAX_RECENT_SERVICES }),
  )
  const readBeside = async () => {
    const ids = (await choosing)?.ids ?? []
    return ids.length === 0 ? undefined : await orNothing(deps, tenantId, () => findRecentLives(deps.db, tenantId, ids, asked))
  }
  const tellFirst = async () => {
    const [wanted, chosen] = await Promise.all([reading, choosing])
    onFirst(wanted.windows, chosen?.ids ?? [])
  }
  const [wanted, chosen, beside] = await Promise.all([reading, choosing, readBeside(), tellFirst()])
  return { ...toRound(wanted, beside), now: chosen ? earlier(wanted.now, chosen.now) : wanted.now }
}

/** The services that are wanted and, beside them, where what failures name is kept. */
async function readRound(
  deps: Database & Logging,
  tenantId: TenantId,
  nameKeys: readonly string[],
  changedKeys: readonly string[],
  { around, until, except }: Asked & { /** Services that were read. */ readonly except: readonly ServiceId[] },
): Promise<Round> {
  const limits = { ...WHOLE, until }
  const ask = (keys: readonly string[], find: () => Promise<ReadLives>) => (keys.length === 0 ? undefined : orNothing(deps, tenantId, find))
  const [wanted, beside] = await Promise.all([
    ask(nameKeys, () => findStoredWindows(deps.db, tenantId, nameKeys, limits)),
    ask(changedKeys, () => findKeepers(deps.db, tenantId, changedKeys, { ...limits, around, except })),
  ])
  return toRound(wanted, beside)
}

/** `now`: when the first was read. */
type Round = ReturnType<typeof toRound> & { readonly now?: Date }

function toRound(wanted: ReadLives | undefined, beside: ReadLives | undefined) {
  return { wanted: wanted?.windows.map(withOnsets) ?? [], beside: beside?.windows.map(withOnsets) ?? [] }
}

/**
 * The same with what trickled in for long before it burst as two lives each, for repeats are told as one from the first to the last,
 * which would hide when it became another matter; and from the beginning, though the sweep took what had expired of it.
 */
async function splitBursts(
  { db, log }: Database & Logging,
  tenantId: TenantId,
  windows: readonly ServiceLives[],
  until: Date | null,
  readAt: Date,
): Promise<readonly ServiceLives[]> {
  const isLong = (life: StoredLife) =>
    isSymptom(life) && life.count >= MIN_REPEATS && life.timestamp.getTime() - life.firstTimestamp.getTime() >= LONG_MS
  const long = windows.flatMap(({ lives }) => lives.filter(isLong).map(({ id }) => id)).slice(0, MAX_SPLIT)
  const read = long.length === 0 ? undefined : findOccurrences(db, tenantId, long, { until, sampleSize: WHOLE.sampleSize })
  const occurrences = await read?.catch(() => {
    log('evidence_reduced', { tenant_id: tenantId })
    return undefined
  })
  const split = (life: StoredLife) => {
    const [first, ...rest] = splitBurst(life, occurrences?.get(life.id) ?? [])
    return first && isSymptom(first) && first.isCounted ? [toWhole(first, readAt), ...rest] : [life]
  }
  return windows.map((each) => ({ ...each, lives: each.lives.flatMap(split) }))
}

/** Changes are kept for a day, and all of their occurrences with them. */
function isSymptom({ text, isExpired }: StoredLife): boolean {
  return text !== undefined && !isChangeType(text.eventType) && !isExpired
}

/** The services that are known to matter from the start, in parts where that takes too long. */
async function readFirst(
  { db, log }: Database & Logging,
  tenantId: TenantId,
  nameKeys: readonly string[],
  until: Date | null,
): Promise<ReadLives> {
  try {
    return await findStoredWindows(db, tenantId, nameKeys, { ...WHOLE, until })
  } catch (error) {
    log('evidence_reduced', { tenant_id: tenantId })
    return (await readParts(db, tenantId, nameKeys, until)) ?? Promise.reject(error)
  }
}

/** What is found; where that cannot be read, it spoils no answer from the rest. */
async function orNothing<Found>({ log }: Logging, tenantId: TenantId, find: () => Promise<Found>): Promise<Found | undefined> {
  try {
    return await find()
  } catch {
    log('evidence_reduced', { tenant_id: tenantId })
    return undefined
  }
}

/** What can be read of the services with these names, the nearest first; `undefined`: nothing. */
async function readParts(db: Db, tenantId: TenantId, nameKeys: readonly string[], until: Date | null): Promise<ReadLives | undefined> {
  const windows: ServiceLives[] = []
  let now: Date | undefined
  let from = 0
  for (const size of REDUCED_PARTS) {
    const part = nameKeys.slice(from, from + size)
    from += size
    if (part.length === 0) break
    const read = await findStoredWindows(db, tenantId, part, { ...REDUCED, until }).catch(() => undefined)
    now ??= read?.now
    windows.push(...(read?.windows ?? []))
  }
  return now && { now, windows }
}

/** What is usual in these services; without their history everything is about as unusual. */
async function countUsual(
  { db, log }: Database & Logging,
  tenantId: TenantId,
  serviceIds: readonly ServiceId[],
): Promise<DiagnosisInput['counts']> {
  try {
    return await countKinds(db, tenantId, serviceIds)
  } catch {
    log('history_left_out', { tenant_id: tenantId })
    return { hoursObserved: 0, kinds: [] }
  }
}

/** What engineers decided of similar incidents; a memory that cannot be read, of a later release say, spoils no answer. */
async function remember(
  { db, log }: Database & Logging,
  tenantId: TenantId,
  query: Parameters<typeof findSimilarIncidents>[2],
): Promise<readonly SimilarPattern[]> {
  try {
    return (await findSimilarIncidents(db, tenantId, query)) ?? []
  } catch (error) {
    log('memory_left_out', { tenant_id: tenantId, reason: error instanceof AppError ? error.message : nameOf(error) })
    return []
  }
}

const withOnsets = (window: ServiceLives): ServiceLives => ({ ...window, lives: window.lives.map(withOnset) })

/**
 * A life as a diagnosis reads it. One of more occurrences than were looked at began when its key says, whatever the first of
 * those says; and what a sender's clock puts after its receipt is as of receipt.
 */
function withOnset(life: StoredLife): StoredLife {
  const timestamp = earlier(life.timestamp, life.orderedAt)
  const firstTimestamp = earlier(life.firstTimestamp, life.isCounted ? timestamp : earlier(timestamp, toAppearedAt(life.lifeKey)))
  return { ...life, timestamp, firstTimestamp }
}

/** The edges that failures in these windows show, which nobody may have learned yet. */
function edgesIn(windows: readonly ServiceLives[], now: Date): GraphEdge[] {
  const known = toKnownServices(windows.map(({ service }) => service.name))
  return windows.flatMap(({ service, lives }) =>
    lives
      .flatMap(({ text }) => (text ? learnEdges({ serviceName: service.name, ...text }, known) : []))
      .map((edge) => ({ ...edge, seen: 1, lastSeenAt: now, declared: false })),
  )
}

/** The keys of services that failing calls in these windows may name. */
function* namesInFailures(windows: readonly ServiceLives[]): Iterable<string> {
  for (const { text } of windows.flatMap(({ lives }) => lives)) {
    if (!text || !isCallFailure(text.eventType)) continue
    const hosts = namedHosts(text.newValue ?? '').flatMap(({ candidates }) => candidates)
    yield* [text.entity, ...hosts].map(toNameKey)
  }
}

/** The keys of flags and settings that failures in these windows may name, whoever keeps them. */
function* keysInFailures(windows: readonly ServiceLives[]): Iterable<string> {
  for (const { text } of windows.flatMap(({ lives }) => lives)) {
    if (text && !isChangeType(text.eventType)) yield* listKeys(text.newValue ?? '')
  }
}

/** The first so many that are not known. */
function pickNew(keys: Iterable<string>, most: number, ...known: readonly ReadonlySet<string>[]): readonly string[] {
  const picked = new Set<string>()
  for (const key of keys) {
    if (known.every((each) => !each.has(key))) picked.add(key)
    if (picked.size === most) break
  }
  return [...picked]
}

/** Whether the changes of the services on the way are sent; none of one that is only named, as a dependency say, ever was. */
function toFeeds(found: readonly ServiceLives[], named: ReadonlyMap<string, string>): readonly ChangeFeed[] {
  const known = new Map(found.map((each) => [toNameKey(each.service.name), each]))
  return [...named].flatMap(([key, name]): ChangeFeed[] => {
    const service = known.get(key)
    if (!service) return [{ service: name, lastChangeAt: null, heardAt: null }]
    return service.feed ? [{ service: service.service.name, ...service.feed }] : []
  })
}

type FoundWindow = { readonly service: ServiceLives['service']; readonly window: StateWindow }

/** The windows, the nearest first, as far as there is room: first the latest changes of all, then more of the nearest. */
function withinLimit(windows: readonly FoundWindow[]): FoundWindow[] {
  let room = MAX_WEIGHT
  const take = (window: StateWindow, instead = 0): boolean => {
    const cost = weighWindow(window) - instead
    if (cost > room) return false
    room -= cost
    return true
  }
  const least = windows.flatMap(({ service, window }, place) => {
    const kept = keepLatest(window, LEAST_PER_TYPE)
    return (place === 0 || kept.updatedAt !== null) && take(kept) ? [{ service, window, kept }] : []
  })
  return least.map(({ service, window, kept }) => {
    const more = MORE_PER_TYPE.map((perType) => keepLatest(window, perType)).find((larger) => take(larger, weighWindow(kept)))
    return { service, window: more ?? kept }
  })
}
