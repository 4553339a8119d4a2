import type { Deps } from '../deps.ts'
import type { Embedding } from '../domain/causal-pattern.ts'
import { type Alert, type DiagnosisInput, MAX_HOPS } from '../domain/diagnosis.ts'
import type { IncidentId, TenantId } from '../domain/ids.ts'
import { embedEvidence, MIN_SIMILARITY } from '../domain/incident-signature.ts'
import { type GraphEdge, learnEdges, type ServiceGraph, servicesToRead, toKnownServices } from '../domain/service-graph.ts'
import { toNameKey } from '../domain/service-name.ts'
import { buildWindow, type StateWindow, type StoredLife, toAppearedAt, weighWindow } from '../domain/state-window.ts'
import { findSimilarIncidents } from '../store/causal-patterns.ts'
import { countKinds } from '../store/event-counts.ts'
import { readServiceGraph } from '../store/service-graph.ts'
import { findStoredWindows, type ServiceLives } from '../store/state-windows.ts'

/** Services that are read although nothing connects them to the alert yet: their errors may, and their changes are ruled out by name. */
const MAX_RECENT_SERVICES = 48
const MAX_CHANGES_PER_TYPE = 200
/** Occurrences of one change that are looked at, and how many when that takes too long. */
const SAMPLE_SIZE = 2_000
const SMALL_SAMPLE_SIZE = 100
const MAX_CHANGES = 5_000
/** In characters: what is kept as a snapshot, once for each answer to an incident. */
const MAX_WEIGHT = 2_000_000
/** How often what was read may lead to services that were not. */
const MAX_ROUNDS = 3
const MAX_PATTERNS = 10

export type Evidence = {
  readonly input: DiagnosisInput
  /** What the incident is like; `undefined` without events. */
  readonly embedding: Embedding | undefined
  /** The database's clock when the first window was read: what was received since then may be missing. */
  readonly readAt: Date
}

/**
 * What a diagnosis of this alert has to see: the windows of the alerting service, of what it depends on and of other services
 * with recent events, and what is usual in them. Postgres alone is asked: what Redis knows is not needed.
 */
export async function gatherEvidence(
  deps: Deps,
  tenantId: TenantId,
  incidentId: IncidentId,
  alert: Alert & { readonly service: string },
  observedUntil: Date | null,
): Promise<Evidence> {
  const graph = await readServiceGraph(deps.db, tenantId)
  const { found, readAt } = await readWindows(deps, tenantId, alert.service, graph)
  const windows = withinLimit(found.map(({ service, lives }) => ({ service, window: buildWindow(lives, new Map(), readAt) })))
  const seen = {
    alert,
    windows: windows.map(({ service, window }) => ({ service: service.name, window })),
    graph,
    observedUntil: observedUntil ?? new Date(Math.max(readAt.getTime(), alert.triggeredAt.getTime())),
  }
  const embedding = embedEvidence(seen)
  const [counts, similar] = await Promise.all([
    countKinds(
      deps.db,
      tenantId,
      windows.map(({ service }) => service.id),
    ),
    embedding ? findSimilarIncidents(deps.db, tenantId, { embedding, except: incidentId, limit: MAX_PATTERNS }) : undefined,
  ])
  const patterns = (similar ?? []).filter(({ similarity }) => similarity >= MIN_SIMILARITY).map(({ incidentId: _, ...pattern }) => pattern)
  return { input: { ...seen, counts, patterns }, embedding, readAt }
}

/** Reads windows, the alerting service's first, until the errors in them lead nowhere new. */
async function readWindows(deps: Deps, tenantId: TenantId, service: string, graph: ServiceGraph) {
  const now = deps.now()
  const asked = new Set<string>()
  const found: ServiceLives[] = []
  let readAt: Date | undefined
  for (let round = 0; round < MAX_ROUNDS; round += 1) {
    const edges = [...graph.edges, ...edgesIn(found, now)]
    const keys = servicesToRead({ edges }, service, MAX_HOPS, now)
      .map(toNameKey)
      .filter((key) => !asked.has(key))
    if (keys.length === 0) break
    const read = await readRound(deps, tenantId, keys, round === 0 ? MAX_RECENT_SERVICES : 0)
    readAt ??= read.now
    found.push(...read.windows.map(({ service, lives }) => ({ service, lives: lives.map(withOnset) })))
    for (const key of [...keys, ...read.windows.map((window) => toNameKey(window.service.name))]) asked.add(key)
  }
  return { found, readAt: readAt ?? now }
}

/** When that takes too long, only what is connected with the alert is read, and less of its floods. */
async function readRound({ db, log }: Deps, tenantId: TenantId, keys: readonly string[], recent: number) {
  const perType = MAX_CHANGES_PER_TYPE
  try {
    return await findStoredWindows(db, tenantId, keys, { perType, recent, sampleSize: SAMPLE_SIZE })
  } catch {
    log('evidence_reduced', { tenant_id: tenantId })
    return await findStoredWindows(db, tenantId, keys, { perType, recent: 0, sampleSize: SMALL_SAMPLE_SIZE })
  }
}

/** A life of more occurrences than were looked at began when its key says, whatever the first of those says. */
function withOnset(life: StoredLife): StoredLife {
  if (life.isCounted) return life
  const onset = Math.min(life.firstTimestamp.getTime(), toAppearedAt(life.lifeKey).getTime())
  return { ...life, firstTimestamp: new Date(onset) }
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

type FoundWindow = { readonly service: ServiceLives['service']; readonly window: StateWindow }

/** The nearest window, and of the others, the nearest first, those that there is room for: more would not be read by anyone. */
function withinLimit(windows: readonly FoundWindow[]): FoundWindow[] {
  let [changes, weight] = [0, 0]
  return windows.filter(({ window }, place) => {
    const [ownChanges, ownWeight] = [Object.values(window.entries).flat().length, weighWindow(window)]
    const hasRoom = ownChanges > 0 && changes + ownChanges <= MAX_CHANGES && weight + ownWeight <= MAX_WEIGHT
    if (place > 0 && !hasRoom) return false
    changes += ownChanges
    weight += ownWeight
    return true
  })
}
