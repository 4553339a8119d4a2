import { parseArgs } from 'node:util'
import { type Cleanup, createCleanup, type Environment, openEnvironment } from './bench-setup.ts'
import { type FloodReport, measureFlood } from './flood.ts'
import { type IngestReport, measureIngest, NAMES } from './ingest.ts'
import { measureSweep, type SweepReport } from './sweep.ts'
import { formatFlood, formatIngest, formatSweep } from './table.ts'
import { UsageError } from './usage-error.ts'

const HELP = `npm run bench -- [options]

Serves the production bundle in workerd over the local stack, and measures it against a floor: a Worker that makes two
bare requests to the same endpoints, without drivers or checks. For an event they are the event's own two; what these
cost more than a one-row INSERT and a merge of two commands is a row of its own. Set DATABASE_URL and REDIS_URL to a
real Postgres and Redis for figures that mean something; without them the embedded stores are measured.

  --only ingest|sweep|flood
                        one of the benchmarks (default: all)
  --seconds N           how long each scenario runs in a round (default 3)
  --rounds N            rounds of the ingest benchmark (default 5)
  --connections N       concurrent connections of the ingest benchmark (default 32)
  --scenarios A,B       only these of the ingest benchmark: ${NAMES.join(', ')}
  --expired N           expired events that a sweep finds (default 200000; 20000 on an embedded Postgres)
  --rate N              events a second during the sweep and the flood (default 100)
  --sweeps N            rounds of the sweep benchmark (default 3)
  --json                one JSON object on stdout instead of tables
  --help
`

type Options = {
  readonly only: string | undefined
  readonly isJson: boolean
  readonly seconds: number
  readonly rounds: number
  readonly connections: number
  readonly scenarios: readonly string[]
  readonly expired: number | undefined
  readonly rate: number
  readonly sweeps: number
}

type Report = {
  readonly postgres: 'embedded' | 'real'
  readonly redis: 'embedded' | 'real'
  readonly ingest: IngestReport | undefined
  readonly sweep: SweepReport | undefined
  readonly flood: FloodReport | undefined
}

class Interrupted extends Error {}

function readOptions(): Options | undefined {
  const text = { type: 'string' } as const
  const { values } = parseArgs({
    options: {
      only: text,
      seconds: { ...text, default: '3' },
      rounds: { ...text, default: '5' },
      connections: { ...text, default: '32' },
      scenarios: { ...text, default: '' },
      expired: text,
      rate: { ...text, default: '100' },
      sweeps: { ...text, default: '3' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return undefined
  if (values.only !== undefined && !['ingest', 'sweep', 'flood'].includes(values.only))
    throw new UsageError('--only takes ingest, sweep or flood')
  return {
    only: values.only,
    isJson: values.json,
    seconds: toNumber('seconds', values.seconds),
    rounds: toNumber('rounds', values.rounds),
    connections: toNumber('connections', values.connections),
    scenarios: toScenarios(values.scenarios),
    expired: values.expired === undefined ? undefined : toNumber('expired', values.expired),
    rate: toNumber('rate', values.rate),
    sweeps: toNumber('sweeps', values.sweeps),
  }
}

function toScenarios(value: string): string[] {
  const scenarios = value.split(',').filter((name) => name !== '')
  if (scenarios.every((scenario) => NAMES.some((name) => name === scenario))) return scenarios
  throw new UsageError(`--scenarios takes some of ${NAMES.join(', ')}`)
}

function toNumber(name: string, value: string): number {
  const number = Number(value)
  if (!(number > 0) || (name !== 'seconds' && !Number.isInteger(number))) throw new UsageError(`--${name} takes a positive number`)
  return number
}

function reportProgress(line: string): void {
  process.stderr.write(`bench: ${line}\n`)
}

async function measure(options: Options, cleanup: Cleanup): Promise<Report> {
  const environment = await openEnvironment(cleanup, reportProgress)
  const { postgres, redis } = environment.stack
  reportProgress(`${postgres} Postgres, ${redis} Redis`)
  const isWanted = (name: string) => options.only === undefined || options.only === name
  return {
    postgres,
    redis,
    ingest: isWanted('ingest') ? await measureIngest(environment, options, cleanup, reportProgress) : undefined,
    sweep: isWanted('sweep') ? await measureSweep(environment, toSweepOptions(options, environment), reportProgress) : undefined,
    flood: isWanted('flood') ? await measureFlood(environment, options, reportProgress) : undefined,
  }
}

function toSweepOptions({ expired, rate, sweeps }: Options, { stack }: Environment) {
  return { expired: expired ?? (stack.postgres === 'real' ? 200_000 : 20_000), rate, rounds: sweeps }
}

function format({ postgres, redis, ingest, sweep, flood }: Report): string {
  const isReal = postgres === 'real' && redis === 'real'
  const label = isReal
    ? 'Over a real Postgres and a real Redis.'
    : `Over ${postgres} Postgres and ${redis} Redis: NOT MEANINGFUL AS FIGURES. Set DATABASE_URL and REDIS_URL.`
  const parts = [
    label,
    ...(ingest ? [formatIngest(ingest)] : []),
    ...(sweep ? [formatSweep(sweep)] : []),
    ...(flood ? [formatFlood(flood)] : []),
  ]
  return parts.join('\n\n')
}

function rejectOnSignal(): Promise<never> {
  return new Promise((_, reject) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => reject(new Interrupted(signal)))
  })
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return error.cause instanceof Error ? `${error.message}\n${error.cause.message}` : error.message
}

async function main(): Promise<number> {
  const cleanup = createCleanup()
  try {
    const options = readOptions()
    if (!options) {
      process.stdout.write(HELP)
      return 0
    }
    const report = await Promise.race([measure(options, cleanup), rejectOnSignal()])
    process.stdout.write(`${options.isJson ? JSON.stringify(report, null, 2) : format(report)}\n`)
    return report.sweep?.isExact === false ? 1 : 0
  } catch (error) {
    reportProgress(describe(error))
    return error instanceof Interrupted ? 130 : 1
  } finally {
    await cleanup.run()
  }
}

process.exit(await main())
