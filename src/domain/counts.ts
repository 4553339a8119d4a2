/** What an installation counts, over all tenants and naming none, as Prometheus knows it. */
const FAMILIES = {
  noctuary_requests_total: 'Requests by status',
  noctuary_events_total: 'Events that were stored, known already, or refused',
  noctuary_refusals_total: 'Requests that were refused, by reason',
  noctuary_deliveries_total: 'Deliveries through doors, by what became of them',
  noctuary_windows_repaired_total: 'Copies of windows that were made to agree with Postgres again',
  noctuary_window_merges_failed_total: 'Requests whose events are stored, and whose copies wait for a repair',
  noctuary_diagnoses_total: 'Diagnoses that were stored',
  noctuary_messages_total: 'Messages to receivers, by how it went',
  noctuary_swept_events_total: 'Events that the sweep deleted',
  noctuary_store_requests_total: 'Requests to the stores that were answered',
  noctuary_store_seconds_total: 'How long these took together',
  noctuary_store_slow_requests_total: 'Those of them that took longer than a quarter of a second',
} as const

type Family = keyof typeof FAMILIES

/** Sums by series: a family with its label, as Prometheus writes it. */
export type Sums = Readonly<Record<string, number>>

/** Adds to what this isolate has counted. */
type Count = (family: Family, label?: Readonly<Record<string, string>>, by?: number) => void

export type Counts = {
  readonly count: Count
  /** What was counted since it was taken last; `undefined`: nothing. */
  readonly take: () => Sums | undefined
}

/** What an isolate counts between two times that it tells Redis. */
export function createCounts(): Counts {
  let sums: Record<string, number> = {}
  const count: Count = (family, label = {}, by = 1) => {
    if (by <= 0) return
    const series = toSeries(family, label)
    sums[series] = (sums[series] ?? 0) + by
  }
  const take = () => {
    const taken = sums
    sums = {}
    return Object.keys(taken).length === 0 ? undefined : taken
  }
  return { count, take }
}

const SLOW_MS = 250

/** Counts what a store answered, which is told how long each took. */
export const countAnswers =
  ({ count }: Counts, store: 'postgres' | 'redis') =>
  (ms: number): void => {
    count('noctuary_store_requests_total', { store })
    count('noctuary_store_seconds_total', { store }, ms / 1_000)
    if (ms > SLOW_MS) count('noctuary_store_slow_requests_total', { store })
  }

function toSeries(family: Family, label: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(label).map(([name, value]) => `${name}="${value.replace(/[\\"\n]/g, ' ')}"`)
  return pairs.length === 0 ? family : `${family}{${pairs.join(',')}}`
}

export function addSums(all: readonly Sums[]): Sums {
  const total: Record<string, number> = {}
  for (const sums of all) for (const [series, value] of Object.entries(sums)) total[series] = (total[series] ?? 0) + value
  return total
}

export type Gauges = Readonly<Record<string, { readonly help: string; readonly value: number }>>

/** Sums, as far as they are known, and gauges in Prometheus' text format 0.0.4. */
export function toPrometheus(sums: Sums | undefined, gauges: Gauges): string {
  const counters = Object.entries(sums ? FAMILIES : {}).flatMap(([family, help]) => {
    const lines = Object.entries(sums ?? {})
      .filter(([series]) => series === family || series.startsWith(`${family}{`))
      .map(([series, value]) => `${series} ${value}`)
    return [`# HELP ${family} ${help}`, `# TYPE ${family} counter`, ...lines.toSorted()]
  })
  const others = Object.entries(gauges).flatMap(([name, { help, value }]) => [
    `# HELP ${name} ${help}`,
    `# TYPE ${name} gauge`,
    `${name} ${value}`,
  ])
  return `${[...counters, ...others].join('\n')}\n`
}
