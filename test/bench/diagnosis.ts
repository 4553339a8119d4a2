import { createWriteStream, writeFileSync } from 'node:fs'
import { finished } from 'node:stream/promises'
import { parseArgs } from 'node:util'
import { diagnose } from '../../src/domain/diagnosis.ts'
import type { Model } from '../../src/domain/diagnosis-rules.ts'
import { BASELINES } from './diagnosis-baselines.ts'
import { type Case, readCases, toSet, toView } from './diagnosis-cases.ts'
import { type Disturbance, MERGE_WITHIN_SECONDS } from './diagnosis-disturb.ts'
import { applyModel, fitModel, type Sample, type Setting, sampleCases, sampleDisturbed } from './diagnosis-fit.ts'
import { generateCases, generateLoad, isGenerated, type Load } from './diagnosis-generate.ts'
import { toInput } from './diagnosis-input.ts'
import { type Answer, type Interval, type MetricName, measure } from './diagnosis-metrics.ts'
import { createCaseRunner } from './diagnosis-run.ts'
import { answerUnseen, createTuner } from './diagnosis-tune.ts'
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
  --generate N     how many incidents to generate (default 100)
  --out FILE       one line a case: {id, ranked: [service…], confidence, abstained}
  --json           one JSON object on stdout instead of tables
  --fit            choose the constants and fit the weights on the cases and generated ones; then again without each
                   incident in turn, which is answered by what the others taught (some minutes)
  --write          with --fit: write the model to src/domain/diagnosis-weights.ts
  --speed          how much processor time a diagnosis of 1,000 and of 10,000 events takes
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
      generate: { ...text, default: '100' },
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

function timeDiagnosis(load: Load): number {
  const input = toInput(generateLoad(load, values.seed), { hoursObserved: 0, kinds: [] })
  for (let warmUp = 0; warmUp < 5; warmUp += 1) diagnose(input)
  return median(
    Array.from({ length: 21 }, () => {
      const before = process.threadCpuUsage()
      diagnose(input)
      const used = process.threadCpuUsage(before)
      return (used.user + used.system) / 1_000
    }),
  )
}

function toSource({ tuning, weights, calibration, minConfidence }: Model): string {
  const toLiteral = (record: Readonly<Record<string, number>>) =>
    `{ ${Object.entries(record)
      .map(([name, value]) => `${name}: ${toNumeral(value)}`)
      .join(', ')} }`
  return `// Chosen and fitted: \`npm run bench:diagnosis -- --fit --write\` writes this file.
import type { Model } from './diagnosis-rules.ts'

export const MODEL: Model = {
  tuning: {
${Object.entries(tuning)
  .map(([name, value]) => `    ${name}: ${toNumeral(value)},\n`)
  .join('')}  },
  weights: ${toLiteral(weights)},
  calibration: ${toLiteral(calibration)},
  minConfidence: ${Math.floor(minConfidence * 100) / 100},
}
`
}

function toNumeral(value: number): string {
  if (!Number.isFinite(value)) return 'Number.POSITIVE_INFINITY'
  return String(Number(value.toFixed(2))).replace(/(\d)(\d{3})$/, '$1_$2')
}

/** The disturbances that are reported, each under a number of seeds, and the view they are reported for. */
const DISTURBED = [
  { name: '5 × unrelated noise', noise: 5, isMerged: false, skewSeconds: 0, seeds: 8 },
  { name: 'two incidents mixed', noise: 0, isMerged: true, skewSeconds: 0, seeds: 40 },
  { name: 'clocks off by up to 90 s', noise: 0, isMerged: false, skewSeconds: 90, seeds: 8 },
] as const
const DISTURBED_VIEW = 'frontend+120'

function fitAndReport(given: readonly Case[], generated: readonly Case[]): void {
  const cases = [...given, ...generated]
  const runner = createCaseRunner(cases)
  const samples = sampleCases(cases, runner, values.seed)
  const tuner = createTuner(samples)
  const note = (text: string) => process.stderr.write(`${text} (${tuner.countTrials()} settings tried)\n`)
  const setting = tuner.choose(undefined, note)
  const model = fitModel(samples, setting)
  const source = toSource(model)
  if (values.write) writeFileSync(new URL('../../src/domain/diagnosis-weights.ts', import.meta.url), source)

  const whole = samples.filter(({ isWhole }) => isWhole)
  const disturbed = DISTURBED.map(({ name, seeds, ...disturbance }) => {
    const asked = whole.filter(({ each }) => each.truth !== null && !isGenerated(each) && toView(each).endsWith(DISTURBED_VIEW))
    const numbers = Array.from({ length: seeds }, (_, index) => `${index + 1}`)
    return { name, asked: numbers.flatMap((seed) => asked.map((sample) => sampleDisturbed(sample, runner, { ...disturbance, seed }))) }
  })
  const asked: readonly Sample[] = [...whole, ...disturbed.flatMap((each) => each.asked)]
  const differing = new Map<string, number>()
  const answers = answerUnseen(samples, asked, tuner, (chosen) => {
    const text = describeDifference(setting, chosen)
    differing.set(text, (differing.get(text) ?? 0) + 1)
    note(`fold: ${text}`)
  })
  const unseen = new Map(asked.map((sample, index) => [sample, answers[index]]))
  const rowsOf = (own: readonly Sample[], answerOf: (sample: Sample) => Answer | undefined) =>
    toRows(new Map([['engine', own.flatMap((sample) => answerOf(sample) ?? [])]]))
  const fitted = applyModel(asked, model)
  const seen = new Map(asked.map((sample, index) => [sample, fitted[index]]))
  const groups = [{ name: 'as they are', asked: whole }, ...disturbed]
  const tables = groups.map(({ name, asked: own }) => ({
    name,
    fitted: rowsOf(own, (sample) => seen.get(sample)),
    unseen: rowsOf(own, (sample) => unseen.get(sample)),
  }))
  const text = tables.map(
    ({ name, fitted, unseen: rows }) =>
      `Cases ${name}, fitted on:\n${format(fitted)}\n\nCases ${name}, left out of the choice of constants and of the fit:\n${format(rows)}`,
  )
  const folds = [...differing].map(([difference, count]) => `${count} folds: ${difference}`)
  console.log(values.json ? JSON.stringify({ setting, model, folds, tables }) : [source, ...folds, '', ...text].join('\n'))
}

function describeDifference(setting: Setting, chosen: Setting): string {
  const differing = Object.entries(chosen).filter(([name, value]) =>
    Object.entries(setting).some(([other, own]) => other === name && own !== value),
  )
  return differing.length === 0 ? 'the same constants' : differing.map(([name, value]) => `${name} ${value}`).join(', ')
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

/** Loads over many services, and one that is crowded into few of them, mostly failing calls. */
const LOADS: readonly Load[] = [
  { events: 1_000, services: 50, failing: 0.2 },
  { events: 1_000, services: 5, failing: 0.8 },
  { events: 10_000, services: 50, failing: 0.2 },
]

function showSpeed(): void {
  const rows = LOADS.map((load) => ({ ...load, medianMs: timeDiagnosis(load) }))
  const lines = rows.map(
    ({ events, services, failing, medianMs }) =>
      `${events} events, ${services} services, ${Math.round(100 * failing)} % failing calls: ${medianMs.toFixed(1)} ms`,
  )
  console.log(values.json ? JSON.stringify(rows) : lines.join('\n'))
}

async function main(): Promise<void> {
  if (values.help) console.log(HELP)
  else if (values.speed) showSpeed()
  else {
    const given = [...values.cases, ...positionals].flatMap(readCases)
    const generated = generateCases(toNumber('generate', values.generate), values.seed)
    if (values.fit) fitAndReport(given, generated)
    else await run(given.length > 0 ? given : generated)
  }
}

await main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
})
