import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { diagnose } from '../../src/domain/diagnosis/diagnose.ts'
import { BASELINES } from './diagnosis-baselines.ts'
import { type Case, listFiles, readCases, toView } from './diagnosis-cases.ts'
import { type Disturbance, MERGE_WITHIN_SECONDS } from './diagnosis-disturb.ts'
import { generateCases, generateLoad, type Load } from './diagnosis-generate.ts'
import { toInput } from './diagnosis-input.ts'
import { answerLeftOut } from './diagnosis-left-out.ts'
import type { Answer } from './diagnosis-metrics.ts'
import { type Options, readOptions } from './diagnosis-options.ts'
import { answer, answerSimply, createCaseRunner } from './diagnosis-run.ts'
import { formatStirRows, stirCases } from './diagnosis-stir.ts'
import { type Answers, formatRows, toMeans, toRows } from './diagnosis-table.ts'
import { median } from './statistics.ts'
import { UsageError } from './usage-error.ts'

/** Processor time is counted in steps of up to 10 ms: many runs are measured together. */
const SAMPLE_MS = 250
const SAMPLES = 5
const KEPT_CASES = fileURLToPath(new URL('../fixtures/diagnosis', import.meta.url))

const HELP = `npm run bench:diagnosis -- [options]

Runs the diagnosis engine over cases and prints one table: figures by set and view, each with its 95 % bootstrap interval
(incidents are drawn, for views of one incident are not independent). Without --cases it runs on those of the repository
(test/fixtures/diagnosis) and on generated ones.

  --cases PATH…    files of cases, one JSON object a line, plain or gzip, or folders of them
  --as-given       leave out the variants: 5 × noise, clocks off by 90 s and merged incidents of a front end's second look,
                   and five unrelated changes in the hour before (which sets named -bg have already)
  --noise N        every case with N unrelated events for each of its own, from services no path leads to
  --merge          … with the events of another incident of the same set, view and system, alerts within ${MERGE_WITHIN_SECONDS} s
  --skew S         … with each event's time off by up to S seconds either way
  --background N   … with N changes of other services in the hour before
  --unlinked       … without the calls that were declared: those that its failures tell are known alone
  --left-out       also with constants that other sources chose: the column for a source in which none of it had a part
  --baselines      also simple rules
  --seed TEXT      for all that is drawn (default 1)
  --resamples N    bootstrap resamples (default 1000)
  --generate N     how many incidents to generate, without --cases (default 100)
  --out FILE       one line a case: {id, ranked: [service…], changes: [{service, event_type, sha, entity, new_value, timestamp}…],
                   abstained, confidence}; of cases as they are given or as they are disturbed, not of variants
  --json           one JSON object on stdout instead of the table
  --stirred        instead of the figures: how many answers one old event more changes that should change none, of the alerting
                   service ("own") or of a stranger: a warning, a restart, an error of its own code, a failing call to somebody
                   unknown, each 15, 30, 60 and 180 minutes before the alert; of cases as they are given or as they are disturbed
  --speed          how much processor time a warm diagnosis of 1,000 and of 10,000 events takes: the median of ${SAMPLES} samples,
                   each the mean over as many runs as take ${SAMPLE_MS} ms
  --help

How figures are read: n is cases with a cause on record + cases without. "top-1" is by change where a case tells which change
it was, "by service" and "top-3" by service; all three rank, whether or not a cause was named. "answered" counts what was also
named. A false claim is a cause that is named where none is on record. Of merged incidents "either cause" counts both, "own in
two" the case's own among the first two services. The Brier score compares the confidence with whether the cause that is named
is right (of merged incidents either), over all cases; where none is named it is 0. "wrong > .7" is the share of wrong answers among those given with a
confidence above .7, "right > .7" the share of right answers that stand above it. What is usual at a service a case tells
itself (\`counts\`), or nothing does. Events pass through the folding of the product. With --stirred, answers change where
another change is named first, or a cause is named only with the event or only without it. Right ones name the change on record
(the service, where a case tells no change), or nothing where none is; they are lost where the event makes them wrong. An alert
that tells no service has no event of its own.
`

/** The standard disturbances, and the views that they are for. */
const VARIANTS = [
  { name: '5 × noise', seeds: 1, views: /frontend\+120$/, disturbance: { noise: 5 } },
  { name: '± 90 s', seeds: 2, views: /frontend\+120$/, disturbance: { skewSeconds: 90 } },
  { name: 'merged', seeds: 3, views: /frontend\+120$/, disturbance: { isMerged: true } },
  {
    name: 'background',
    seeds: 3,
    views: /^(?!change|abstain|component|generated|missing|[^ ]*-bg ).*\+120$/,
    disturbance: { background: 5 },
  },
] as const

const UNDISTURBED = { noise: 0, isMerged: false, background: 0, skewSeconds: 0, isUnlinked: false }

function timeDiagnosis(load: Load, seed: string): number {
  const input = toInput(generateLoad(load, seed))
  const timeSample = () => {
    const before = process.threadCpuUsage()
    for (let runs = 1; ; runs += 1) {
      diagnose(input)
      const used = process.threadCpuUsage(before)
      const usedMs = (used.user + used.system) / 1_000
      if (usedMs >= SAMPLE_MS) return usedMs / runs
    }
  }
  timeSample()
  return median(Array.from({ length: SAMPLES }, timeSample))
}

function run(cases: readonly Case[], options: Options): void {
  const { disturbance, bootstrap, hasVariants, hasBaselines, isLeftOut, out, isJson } = options
  const runner = createCaseRunner(cases)
  const disturbed = disturbAll(cases, disturbance, runner)
  const groups = [
    { variant: describeDisturbance(disturbance), cases: disturbed },
    ...(hasVariants ? toVariants(cases, bootstrap.seed, runner) : []),
  ]
  const answered = groups.map(({ variant, cases: own }): Answers => ({ method: 'engine', variant, answers: own.map(answer) }))
  if (out !== undefined) writeAnswers(out, answered[0]?.answers ?? [])
  const note = (text: string) => process.stderr.write(`${text}\n`)
  const leftOut = isLeftOut
    ? groups.map(({ variant, cases: own }): Answers => ({ method: 'source left out', variant, answers: answerLeftOut(own, note) }))
    : []
  const simple = hasBaselines
    ? Object.keys(BASELINES).flatMap((method) =>
        groups.map(
          ({ variant, cases: own }): Answers => ({
            method,
            variant,
            answers: own.map((each) => answerSimply(each, method, bootstrap.seed)),
          }),
        ),
      )
    : []
  const rows = toRows([...answered, ...leftOut, ...simple], bootstrap)
  const means = toMeans(rows, 'engine')
  if (isJson) console.log(JSON.stringify({ disturbance, rows, means }))
  else
    console.log(
      `${formatRows(rows)}\n\nmean of sets: ${Object.entries(means)
        .map(([name, value]) => `${name} ${value.toFixed(3)}`)
        .join(', ')}`,
    )
}

type Runner = ReturnType<typeof createCaseRunner>

function disturbAll(cases: readonly Case[], disturbance: Disturbance, runner: Runner): readonly Case[] {
  const alone = disturbance.isMerged ? cases.filter((each) => !runner.canMerge(each)).length : 0
  if (alone > 0) report(`no other incident to merge into ${alone} of ${cases.length} cases, which stay as they are`)
  return cases.map((each) => runner.disturb(each, disturbance))
}

function toVariants(cases: readonly Case[], seed: string, runner: Runner) {
  return VARIANTS.flatMap(({ name, seeds, views, disturbance }) => {
    const own = cases.filter((each) => views.test(toView(each)) && (!('isMerged' in disturbance) || runner.canMerge(each)))
    const drawn = Array.from({ length: seeds }, (_, index) => ({ ...UNDISTURBED, ...disturbance, seed: `${seed} ${index}` }))
    return own.length === 0 ? [] : [{ variant: name, cases: drawn.flatMap((each) => disturbAll(own, each, runner)) }]
  })
}

function describeDisturbance({ noise, isMerged, background, skewSeconds, isUnlinked }: Disturbance): string {
  const parts = [
    noise > 0 ? `${noise} × noise` : '',
    isMerged ? 'merged' : '',
    background > 0 ? `${background} changes beside` : '',
    skewSeconds > 0 ? `± ${skewSeconds} s` : '',
    isUnlinked ? 'calls unknown' : '',
  ]
  return parts.filter(Boolean).join(', ')
}

function writeAnswers(file: string, answers: readonly Answer[]): void {
  const lines = answers.map(({ each, ranked, changes, abstained, confidence }) =>
    JSON.stringify({ id: each.id, ranked, changes, abstained, confidence }),
  )
  try {
    writeFileSync(file, `${lines.join('\n')}\n`)
  } catch (error) {
    throw new UsageError(`cannot write ${JSON.stringify(file)}: ${error instanceof Error ? error.message : error}`)
  }
}

/** Loads over many services, and one that is crowded into few of them, mostly failing calls. */
const LOADS: readonly Load[] = [
  { events: 1_000, services: 50, failing: 0.2 },
  { events: 1_000, services: 5, failing: 0.8 },
  { events: 10_000, services: 50, failing: 0.2 },
]

function showSpeed({ bootstrap: { seed }, isJson }: Options): void {
  const rows = LOADS.map((load) => ({ ...load, medianMs: timeDiagnosis(load, seed) }))
  const lines = rows.map(
    ({ events, services, failing, medianMs }) =>
      `${events} events, ${services} services, ${Math.round(100 * failing)} % failing calls: ${medianMs.toFixed(2)} ms`,
  )
  console.log(isJson ? JSON.stringify(rows) : lines.join('\n'))
}

function showStirred(cases: readonly Case[], { disturbance, isJson }: Options): void {
  const rows = stirCases(disturbAll(cases, disturbance, createCaseRunner(cases)), answer)
  console.log(isJson ? JSON.stringify({ disturbance, rows }) : formatStirRows(rows))
}

function report(text: string): void {
  process.stderr.write(`bench: ${text.replaceAll(/\s*\n\s*/g, ' ')}\n`)
}

function main(): void {
  const options = readOptions()
  if (options.mode === 'help') console.log(HELP)
  else if (options.mode === 'speed') showSpeed(options)
  else {
    const paths = options.paths.length > 0 ? options.paths : [KEPT_CASES]
    const given = listFiles(paths).flatMap(readCases)
    const cases = options.paths.length > 0 ? given : [...given, ...generateCases(options.incidents, options.bootstrap.seed)]
    if (options.mode === 'stirred') showStirred(cases, options)
    else run(cases, options)
  }
}

try {
  main()
} catch (error) {
  if (!(error instanceof UsageError)) throw error
  report(`${error.message} (--help tells more)`)
  process.exitCode = 1
}
