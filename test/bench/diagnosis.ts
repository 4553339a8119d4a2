import { writeFileSync } from 'node:fs'
import { diagnose } from '../../src/domain/diagnosis/diagnose.ts'
import type { Model, Tuning } from '../../src/domain/diagnosis/rules.ts'
import { BASELINES } from './diagnosis-baselines.ts'
import { type Case, readCases, toView } from './diagnosis-cases.ts'
import { MERGE_WITHIN_SECONDS } from './diagnosis-disturb.ts'
import { applyModel, fitModel, type Sample, sampleCases, sampleDisturbed } from './diagnosis-fit.ts'
import { generateCases, generateLoad, isGenerated, type Load } from './diagnosis-generate.ts'
import { createHistory, toInput } from './diagnosis-input.ts'
import type { Answer } from './diagnosis-metrics.ts'
import { type Options, readOptions } from './diagnosis-options.ts'
import { createCaseRunner } from './diagnosis-run.ts'
import { formatRows, toRows } from './diagnosis-table.ts'
import { answerUnseen, createTuner, listNeighbours } from './diagnosis-tune.ts'
import { median } from './statistics.ts'
import { UsageError } from './usage-error.ts'

/** Processor time is counted in steps of up to 10 ms: many runs are measured together. */
const SAMPLE_MS = 250
const SAMPLES = 5

const HELP = `npm run bench:diagnosis -- [options]

Runs the diagnosis engine over cases, beside simple rules, and prints figures by set and view with 95 % bootstrap
intervals (incidents are drawn, for views of one incident are not independent). Without --cases it runs on generated ones.

  --cases FILE…    files of cases, one JSON object a line, plain or gzip
  --noise N        N unrelated events for each event of a case, from services no path leads to
  --merge          the events of another incident of the same set, view and system, its alert within ${MERGE_WITHIN_SECONDS} s of the case's
  --skew S         each event's time off by up to S seconds either way
  --seed TEXT      for all that is drawn (default 1)
  --resamples N    bootstrap resamples (default 1000)
  --generate N     how many incidents to generate, without --cases or with --fit (default 100)
  --out FILE       one line a case: {id, ranked: [service…], confidence, abstained}
  --json           one JSON object on stdout instead of tables
  --fit            choose the constants and fit the weights on the cases and generated ones; then again without each
                   incident in turn, which is answered by what the others taught (some minutes)
  --write          with --fit: write the model to src/domain/diagnosis/weights.ts
  --speed          how much processor time a warm diagnosis of 1,000 and of 10,000 events takes: the median of ${SAMPLES} samples,
                   each the mean over as many runs as take ${SAMPLE_MS} ms
  --help

How figures are read: an answer is right when its first service is the true one and it did not abstain; an abstention is
never right (top-1, top-3 and MRR count it as a miss). A false claim is an answer to a case whose cause was never
reported. The Brier score compares the confidence with whether the answer is right, over cases with and without a true
cause together: a case without one is right for no answer, so that a low confidence is what it asks for. "wrong > .7" is
the share of wrong answers among those given with a confidence above 0.7. What is usual at a service is counted over the
other incidents of the same system in the same files, one incident an hour. Events pass through the folding of the product.
`

function timeDiagnosis(load: Load, seed: string): number {
  const now = generateLoad(load, seed)
  const past = generateLoad(load, `${seed} past`)
  const input = toInput(now, createHistory([now, past], (each) => (each === now ? 'now' : 'past'))(now))
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

function toSource({ tuning, weights, calibration }: Model): string {
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

function fitAndReport(given: readonly Case[], generated: readonly Case[], { bootstrap, isWritten, isJson }: Options): void {
  const cases = [...given, ...generated]
  const runner = createCaseRunner(cases)
  const samples = sampleCases(cases, runner, bootstrap.seed)
  const tuner = createTuner(samples)
  const note = (text: string) => process.stderr.write(`${text} (${tuner.countTrials()} settings tried)\n`)
  const tuning = tuner.choose(undefined, note)
  const model = fitModel(samples, tuning)
  const source = toSource(model)
  if (isWritten) writeFileSync(new URL('../../src/domain/diagnosis/weights.ts', import.meta.url), source)

  const whole = samples.filter(({ isWhole }) => isWhole)
  const disturbed = DISTURBED.map(({ name, seeds, ...disturbance }) => {
    const asked = whole.filter(({ each }) => each.truth !== null && !isGenerated(each) && toView(each).endsWith(DISTURBED_VIEW))
    const numbers = Array.from({ length: seeds }, (_, index) => `${index + 1}`)
    return { name, asked: numbers.flatMap((seed) => asked.map((sample) => sampleDisturbed(sample, runner, { ...disturbance, seed }))) }
  })
  const asked: readonly Sample[] = [...whole, ...disturbed.flatMap((each) => each.asked)]
  const differing = new Map<string, number>()
  const answers = answerUnseen(samples, asked, tuner, (chosen) => {
    const text = describeDifference(tuning, chosen)
    differing.set(text, (differing.get(text) ?? 0) + 1)
    note(`fold: ${text}`)
  })
  const folds = [...differing].map(([difference, count]) => `${count} folds: ${difference}`)
  const variants = listNeighbours(tuning).map(
    (neighbour) => [describeDifference(tuning, neighbour), applyModel(asked, fitModel(samples, neighbour))] as const,
  )
  const methods = new Map([['engine', applyModel(asked, model)], ['left out', answers], ...variants])
  const groups = [{ name: 'as they are', asked: whole }, ...disturbed]
  const tables = groups.map(({ name, asked: own }) => ({ name, rows: toRows(pickAnswers(methods, asked, new Set(own)), bootstrap) }))
  const text = tables.map(({ name, rows }) => `Cases ${name}:\n${formatRows(rows)}`)
  console.log(isJson ? JSON.stringify({ tuning, model, folds, tables }) : [source, ...folds, '', ...text].join('\n'))
}

function pickAnswers(methods: ReadonlyMap<string, readonly Answer[]>, asked: readonly Sample[], picked: ReadonlySet<Sample>) {
  return new Map([...methods].map(([method, answers]) => [method, answers.filter((_, index) => asked[index] && picked.has(asked[index]))]))
}

function describeDifference(tuning: Tuning, chosen: Tuning): string {
  const differing = Object.entries(chosen).filter(([name, value]) =>
    Object.entries(tuning).some(([other, own]) => other === name && own !== value),
  )
  return differing.length === 0 ? 'the same constants' : differing.map(([name, value]) => `${name} ${value}`).join(', ')
}

function run(cases: readonly Case[], { disturbance, bootstrap, out, isJson }: Options): void {
  const runner = createCaseRunner(cases)
  const alone = disturbance.isMerged ? cases.filter((each) => !runner.canMerge(each)).length : 0
  if (alone > 0) report(`no other incident to merge into ${alone} of ${cases.length} cases, which stay as they are`)
  const answers = cases.map((each) => runner.answer(each, disturbance))
  if (out !== undefined) writeAnswers(out, answers)
  const baselines = Object.keys(BASELINES).map((name) => [name, cases.map((each) => runner.answerSimply(each, disturbance, name))] as const)
  const rows = toRows(new Map([['engine', answers], ...baselines]), bootstrap)
  console.log(isJson ? JSON.stringify({ disturbance, rows }) : formatRows(rows))
}

function writeAnswers(file: string, answers: readonly Answer[]): void {
  const lines = answers.map(({ each, ranked, confidence, abstained }) => JSON.stringify({ id: each.id, ranked, confidence, abstained }))
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

function report(text: string): void {
  process.stderr.write(`bench: ${text.replaceAll(/\s*\n\s*/g, ' ')}\n`)
}

function main(): void {
  const options = readOptions()
  if (options.mode === 'help') console.log(HELP)
  else if (options.mode === 'speed') showSpeed(options)
  else {
    const given = options.files.flatMap(readCases)
    const generated = generateCases(options.incidents, options.bootstrap.seed)
    if (options.mode === 'fit') fitAndReport(given, generated, options)
    else run(given.length > 0 ? given : generated, options)
  }
}

try {
  main()
} catch (error) {
  if (!(error instanceof UsageError)) throw error
  report(`${error.message} (--help tells more)`)
  process.exitCode = 1
}
