import { type CpuTimes, PARTS } from './cpu.ts'
import type { FloodReport } from './flood.ts'
import type { IngestReport, IngestRow } from './ingest.ts'
import type { Latency } from './pace.ts'
import type { SweepReport } from './sweep.ts'

const whole = (value: number): string => Math.round(value).toLocaleString('en')
const verdict = (isMet: boolean): string => (isMet ? 'met' : 'missed')

export function toLines(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? '').length)))
  const toLine = (row: readonly string[]): string =>
    row.map((cell, column) => (column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0))).join('  ')
  return rows.map((row) => toLine(row).trimEnd()).join('\n')
}

function toRatioCells({ ratio }: IngestRow): readonly [string, string] {
  if (!ratio) return ['', '']
  const { median, min, max, to, target, isMet } = ratio
  const aim = target === undefined || isMet === undefined ? '' : `≥ ${target}: ${verdict(isMet)}`
  return [`${median.toFixed(2)} × ${to} (${min.toFixed(2)}–${max.toFixed(2)})`, aim]
}

function toUseCells({ use }: IngestRow): readonly string[] {
  if (!use) return ['', '', '']
  return [use.postgresRequests, use.redisRequests, use.redisCommands].map((value) => value.toFixed(3))
}

function toCpuCells({ cpu }: IngestRow): readonly string[] {
  if (!cpu) return []
  return [...PARTS.map((part) => cpu[part]), sumOf(cpu)].map((value) => value.toFixed(2))
}

const sumOf = (cpu: CpuTimes): number => PARTS.reduce((sum, part) => sum + cpu[part], 0)

function formatCpu(rows: readonly IngestRow[]): string {
  return toLines([['CPU ms a request', ...PARTS, 'all'], ...rows.map((row) => [row.title, ...toCpuCells(row)])])
}

const MAX_REDACTION_SHARE = 0.05

function formatRedaction({ rows, redactionUs }: IngestReport): string {
  const single = rows.find(({ name }) => name === 'single')?.cpu?.worker
  const share = single === undefined ? undefined : redactionUs / 1_000 / single
  const of =
    share === undefined
      ? ''
      : `, ${(100 * share).toFixed(2)} % of the Worker's for a single event (≤ 5 %: ${verdict(share <= MAX_REDACTION_SHARE)})`
  return `Masking an event takes ${redactionUs.toFixed(1)} µs of CPU${of}.`
}

const MAX_DOOR_RATIO = 1.15
const MAX_OTLP_MS = 40

/**
 * A door against `POST /v1/events`: the verdict is of the same deploys, for then the way in is all that differs; single events are a mix
 * of vendors' lines, some with a raw line and some that join nothing, and are beside it for orientation.
 */
function formatDoors({ rows }: IngestReport): string[] {
  const cpuOf = (wanted: IngestRow['name']) => rows.find(({ name }) => name === wanted)?.cpu
  const [single, told, door, otlp] = [cpuOf('single'), cpuOf('told'), cpuOf('door'), cpuOf('otlp')]
  const against = (other: CpuTimes, mine: CpuTimes) =>
    `${(mine.worker / other.worker).toFixed(2)} × the Worker's CPU and ${(sumOf(mine) / sumOf(other)).toFixed(2)} × all`
  return [
    ...(told && door
      ? [
          `An event by a door takes ${against(told, door)} of the same by POST /v1/events (Worker ≤ ${MAX_DOOR_RATIO}: ${verdict(door.worker / told.worker <= MAX_DOOR_RATIO)}).`,
        ]
      : []),
    ...(single && door ? [`It takes ${against(single, door)} of a single event.`] : []),
    ...(otlp
      ? [
          `A request of OpenTelemetry logs takes ${otlp.worker.toFixed(1)} ms of the Worker's CPU (≤ ${MAX_OTLP_MS}: ${verdict(otlp.worker <= MAX_OTLP_MS)}).`,
        ]
      : []),
  ]
}

/** The ingest path's figures, a row a scenario. */
export function formatIngest(report: IngestReport): string {
  const { rows, rounds, seconds, connections, windowsMarkedForRepair } = report
  const head = [
    '',
    'conn.',
    'requests/s',
    'p50 ms',
    'p99 ms',
    'events/s',
    'paired ratio (range)',
    'target',
    'PG req',
    'Redis req',
    'commands',
  ]
  const body = rows.map((row) => [
    row.title,
    String(row.connections),
    whole(row.requestsPerSecond),
    row.p50Ms.toFixed(1),
    row.p99Ms.toFixed(1),
    row.eventsPerSecond > 0 ? whole(row.eventsPerSecond) : '',
    ...toRatioCells(row),
    ...toUseCells(row),
  ])
  const notes = [
    `${rounds} rounds of ${seconds} s a scenario in turns, up to ${connections} connections; medians of the rounds.`,
    'PG req, Redis req and commands (billed) are per event, or per window read, in a warm isolate.',
  ]
  if (windowsMarkedForRepair > 0) notes.push(`Redis was too slow for some merges: ${windowsMarkedForRepair} windows wait for the cron.`)
  return [toLines([head, ...body]), ...notes, '', formatCpu(rows), ...formatDoors(report), formatRedaction(report)].join('\n')
}

/** What the sweep did, and what it did to ingest. */
export function formatSweep({ alone, together, quiet, sweeping, ratio, sweeps, isExact, expired, rate }: SweepReport): string {
  const rates = alone.map(({ of, swept, batches, ratio: each, target, cpu }) => [
    of === 'repeats' ? 'like those of batches' : 'each a change of its own',
    whole(swept),
    `${each.toFixed(2)} × batches (${whole(batches)})`,
    target === undefined ? '' : `≥ ${target}: ${verdict(each >= target)}`,
    ...PARTS.map((part) => cpu?.[part].toFixed(1) ?? ''),
  ])
  const late = `${together.ratio.toFixed(2)} × batches (${whole(together.batches)})`
  return [
    toLines([
      ['swept by itself', 'events/s', 'paired ratio', 'target', ...PARTS.map((part) => `${part} CPU ms / 1,000`)],
      ...rates,
      ['late, beside them', whole(together.swept), late, `≥ ${together.target}: ${verdict(together.ratio >= together.target)}`],
    ]),
    toLines([
      [`ingest at ${rate} requests/s`, ...LATENCY_HEAD],
      ['without a sweep', ...toLatencyRow(quiet)],
      ['with the sweep', ...toLatencyRow(sweeping)],
      ['median of the rounds’ ratios', '', ratio.p50.toFixed(2), '', ratio.p99.toFixed(2), ''],
    ]),
    `p99 ratio ≤ ${ratio.target}: ${verdict(ratio.isMet)} (rounds: ${ratio.p99s.map((each) => each.toFixed(2)).join(', ')})`,
    ...sweeps.map(
      ({ deleted, counted, seconds, deletedBySecondRun }) =>
        `swept ${whole(deleted)} in ${seconds.toFixed(1)} s, event_counts grew by ${whole(counted)}, a second run deleted ${deletedBySecondRun}`,
    ),
    `each of ${whole(expired)} deleted once and counted once: ${isExact ? 'yes' : 'NO'}`,
  ].join('\n')
}

/** What a flood of one tenant's reads did to another's ingest. */
export function formatFlood({ changes, readers, rate, quiet, elsewhere, flooded, refused, reads, ratio }: FloodReport): string {
  return [
    toLines([
      [`ingest at ${rate} requests/s`, ...LATENCY_HEAD],
      ['by itself', ...toLatencyRow(quiet)],
      [`beside ${readers} readers of ${whole(changes)} changes`, ...toLatencyRow(flooded)],
      ['beside the same of another Worker', ...toLatencyRow(elsewhere)],
    ]),
    `p95 beside them: ${ratio.p95.toFixed(2)} × by itself; ${ratio.elsewhere.toFixed(2)} × where they share the machine alone, not the isolate`,
    `p95 ratio ≤ ${ratio.target}, none of them refused (${refused}): ${verdict(ratio.isMet)}`,
    `answers to the readers: ${JSON.stringify(reads)}`,
  ].join('\n')
}

const LATENCY_HEAD = ['requests', 'p50 ms', 'p95 ms', 'p99 ms', 'max ms']

const toLatencyRow = ({ requests, p50Ms, p95Ms, p99Ms, maxMs }: Latency): readonly string[] => [
  whole(requests),
  ...[p50Ms, p95Ms, p99Ms, maxMs].map((ms) => ms.toFixed(1)),
]
