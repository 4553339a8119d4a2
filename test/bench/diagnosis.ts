import { createWriteStream, writeFileSync } from 'node:fs'
import { finished } from 'node:stream/promises'
import { parseArgs } from 'node:util'
import { diagnose } from '../../src/domain/diagnosis.ts'
import { BASELINES } from './diagnosis-baselines.ts'
import { type Case, readCases, toSet, toView } from './diagnosis-cases.ts'
import { type Disturbance, MERGE_WITHIN_SECONDS } from './diagnosis-disturb.ts'
import { applyModel, crossValidate, fitModel, type Model, sampleCases } from './diagnosis-fit.ts'
import { generateCases, generateLoad, isGenerated } from './diagnosis-generate.ts'
import { toInput } from './diagnosis-input.ts'
import { type Answer, type Interval, type MetricName, measure } from './diagnosis-metrics.ts'
import { createCaseRunner } from './diagnosis-run.ts'
import { median } from './statistics.ts'

const HELP = `npm run bench:diagnosis -- [options]

Runs the diagnosis engine over cases, beside simple rules, and prints figures by set and view with 95 % bootstrap
intervals (incidents are drawn, for views of one incident are not independent). Without --cases it runs on generated ones.

  --cases FILE…    files of cases, one JSON object a line, plain or gzip
  --noise N        N unrelated events for each event of a case, from services no path leads to
  --merge          the events of another incident of the same set, view and system, its alert within ${MERGE_WITHIN_SECONDS} s of the case's
  --skew S         each event's time off by up to S seconds either way
  --seed TEXT      for all that is drawn (default 1)
  --resamples N    bootstrap resamples (default 1000)
  --generate N     how many incidents to generate (default 200)
  --out FILE       one line a case: {id, ranked: [service…], confidence, abstained}
  --json           one JSON object on stdout instead of tables
  --fit            fit the weights on the cases and generated ones, and cross-validate: whole incidents are left out
  --write          with --fit: write the weights to src/domain/diagnosis-weights.ts
  --speed          how long a diagnosis of 1,000 and of 10,000 events takes
  --help

How figures are read: an answer is right when its first service is the true one and it did not abstain; an abstention is
never right (top-1, top-3 and MRR count it as a miss). A false claim is an answer to a case whose cause was never
reported. The Brier score compares the confidence with whether the answer is right, over cases with and without a true
cause together: a case without one is right for no answer, so that a low confidence is what it asks for. "wrong > .7" is
the share of wrong answers among those given with a confidence above 0.7. What is usual at a service is counted over the
other incidents of the same system in the same files, one incident an hour. Events pass through the folding of the product.
`

const { values, positionals } = readArguments()

function readArguments() {
  const text = { type: 'string' } as const
  const flag = { type: 'boolean', default: false } as const
  return parseArgs({
    allowPositionals: true,
    options: {
      cases: { ...text, multiple: true, default: [] },
      noise: { ...text, default: '0' },
      skew: { ...text, default: '0' },
      seed: { ...text, default: '1' },
      resamples: { ...text, default: '1000' },
      generate: { ...text, default: '200' },
      out: text,
      merge: flag,
      json: flag,
      fit: flag,
      write: flag,
      speed: flag,
      help: flag,
    },
  })
}

function toNumber(name: string, value: string): number {
  const number = Number(value)
  if (!(Number.isFinite(number) && number >= 0)) throw new Error(`--${name} takes a number from 0 up, not ${value}`)
  return number
}

type Row = { readonly view: string; readonly method: string; readonly cases: number } & Readonly<Record<MetricName, Interval | undefined>>

const NAMES: readonly MetricName[] = ['top1', 'top3', 'mrr', 'answered', 'falseClaims', 'brier', 'confidentlyWrong', 'confident']
const RANKING: ReadonlySet<MetricName> = new Set<MetricName>(['top1', 'top3', 'mrr'])

function toRow(view: string, method: string, answers: readonly Answer[]): Row {
  const resamples = toNumber('resamples', values.resamples)
  const figures = NAMES.map((name) => [
    name,
    method === 'engine' || RANKING.has(name) ? measure(answers, name, resamples, values.seed) : undefined,
  ])
  // The keys are NAMES, all of them: what `fromEntries` cannot tell.
  return { view, method, cases: answers.length, ...(Object.fromEntries(figures) as Record<MetricName, Interval | undefined>) }
}

/** Rows by set and view; confidence is also judged by view over cases with and without a true cause. */
function toRows(methods: ReadonlyMap<string, readonly Answer[]>): readonly Row[] {
  const views = [...new Set([...methods.values()].flat().map(({ each }) => toView(each)))]
  const byView = views.flatMap((view) =>
    [...methods].map(([method, answers]) =>
      toRow(
        view,
        method,
        answers.filter(({ each }) => toView(each) === view),
      ),
    ),
  )
  const engine = methods.get('engine') ?? []
  const together = [...Map.groupBy(engine, ({ each }) => toTogether(each))]
    .filter(([, answers]) => new Set(answers.map(({ each }) => toSet(each))).size > 1)
    .map(([view, answers]) => toRow(view, 'engine', answers))
  return [...byView.filter(({ method, view }) => method === 'engine' || !isWithoutTruth(engine, view)), ...together]
}

function toTogether(each: Case): string {
  const [set = '', view] = toView(each).split(' ')
  return view === undefined ? set : `${isGenerated(each) ? 'generated + missing' : 'change + abstain'}, ${view}`
}

function isWithoutTruth(answers: readonly Answer[], view: string): boolean {
  return answers.filter(({ each }) => toView(each) === view).every(({ each }) => each.truth === null)
}

const HEADS: Readonly<Record<MetricName, string>> = {
  top1: 'top-1',
  top3: 'top-3',
  mrr: 'MRR',
  answered: 'answered',
  falseClaims: 'false claims',
  brier: 'Brier',
  confidentlyWrong: 'wrong > .7',
  confident: '> .7',
}

function format(rows: readonly Row[]): string {
  const toCell = (name: MetricName, figure: Interval | undefined): string => {
    if (!figure) return ''
    if (name === 'confident') return String(figure.value)
    const short = (value: number) => value.toFixed(name === 'brier' ? 3 : 2).replace(/^0\./, '.')
    return `${short(figure.value)} (${short(figure.low)}–${short(figure.high)})`
  }
  const table = [
    ['set and view', 'method', 'n', ...NAMES.map((name) => HEADS[name])],
    ...rows.map((row) => [row.view, row.method, String(row.cases), ...NAMES.map((name) => toCell(name, row[name]))]),
  ]
  const widths = table[0]?.map((_, column) => Math.max(...table.map((cells) => cells[column]?.length ?? 0))) ?? []
  return table
    .map((cells) =>
      cells
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

function timeDiagnosis(events: number): number {
  const input = toInput(generateLoad(events, 50, values.seed), { hoursObserved: 0, kinds: [] })
  for (let warmUp = 0; warmUp < 5; warmUp += 1) diagnose(input)
  return median(
    Array.from({ length: 21 }, () => {
      const startMs = performance.now()
      diagnose(input)
      return performance.now() - startMs
    }),
  )
}

function toSource({ weights, calibration, minConfidence }: Model): string {
  const toLiteral = (record: Readonly<Record<string, number>>) =>
    `{ ${Object.entries(record)
      .map(([name, value]) => `${name}: ${Number(value.toFixed(2))}`)
      .join(', ')} }`
  return `// Fitted: \`npm run bench:diagnosis -- --fit --write\` writes this file.
import type { Calibration, Weights } from './diagnosis-rules.ts'

/** What each feature of a candidate counts. */
export const WEIGHTS: Weights = ${toLiteral(weights)}

/** What the confidence in the leading candidate is computed from. */
export const CALIBRATION: Calibration = ${toLiteral(calibration)}

/** Below this confidence the answer is that no recorded change explains the alert. */
export const MIN_CONFIDENCE = ${Math.floor(minConfidence * 100) / 100}
`
}

function fitWeights(given: readonly Case[], generated: readonly Case[]): void {
  const cases = [...given, ...generated]
  const samples = sampleCases(cases, createCaseRunner(cases), values.seed)
  const model = fitModel(samples)
  const source = toSource(model)
  if (values.write) writeFileSync(new URL('../../src/domain/diagnosis-weights.ts', import.meta.url), source)
  const fitted = toRows(new Map([['engine', applyModel(samples, model)]]))
  const validated = toRows(new Map([['engine', crossValidate(samples)]]))
  const text = [source, 'On the cases it was fitted on:', format(fitted), '', 'On incidents left out of the fit:', format(validated)]
  console.log(values.json ? JSON.stringify({ model, fitted, validated }) : text.join('\n'))
}

async function run(cases: readonly Case[]): Promise<void> {
  const disturbance: Disturbance = {
    noise: toNumber('noise', values.noise),
    isMerged: values.merge,
    skewSeconds: toNumber('skew', values.skew),
    seed: values.seed,
  }
  const runner = createCaseRunner(cases)
  const answers = cases.map((each) => runner.answer(each, disturbance))
  if (values.out !== undefined) await writeAnswers(values.out, answers)
  const baselines = Object.keys(BASELINES).map((name) => [name, cases.map((each) => runner.answerSimply(each, disturbance, name))] as const)
  const rows = toRows(new Map([['engine', answers], ...baselines]))
  console.log(values.json ? JSON.stringify({ disturbance, rows }) : format(rows))
}

async function writeAnswers(file: string, answers: readonly Answer[]): Promise<void> {
  const stream = createWriteStream(file)
  for (const { each, ranked, confidence, abstained } of answers) {
    stream.write(`${JSON.stringify({ id: each.id, ranked, confidence, abstained })}\n`)
  }
  stream.end()
  await finished(stream)
}

function showSpeed(): void {
  const rows = [1_000, 10_000].map((events) => ({ events, services: 50, medianMs: timeDiagnosis(events) }))
  const lines = rows.map(({ events, services, medianMs }) => `${events} events, ${services} services: ${medianMs.toFixed(1)} ms`)
  console.log(values.json ? JSON.stringify(rows) : lines.join('\n'))
}

async function main(): Promise<void> {
  if (values.help) console.log(HELP)
  else if (values.speed) showSpeed()
  else {
    const given = [...values.cases, ...positionals].flatMap(readCases)
    const generated = generateCases(toNumber('generate', values.generate), values.seed)
    if (values.fit) fitWeights(given, generated)
    else await run(given.length > 0 ? given : generated)
  }
}

await main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
})
