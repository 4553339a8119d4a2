import { type Case, toView } from './diagnosis-cases.ts'
import { type Answer, type Interval, type MetricName, measure } from './diagnosis-metrics.ts'

/** Answers of one way of answering, and the cases as they were disturbed for it. */
export type Answers = { readonly method: string; readonly variant: string; readonly answers: readonly Answer[] }

/** Figures of one way of answering over the cases of one set, view and variant. */
export type Row = {
  readonly view: string
  readonly method: string
  readonly withCause: number
  readonly withoutCause: number
  readonly figures: Readonly<Partial<Record<MetricName, Interval>>>
}

const NAMES: readonly MetricName[] = [
  'change',
  'service',
  'top3',
  'answered',
  'falseClaims',
  'brier',
  'confidentlyWrong',
  'confidentlyRight',
  'either',
  'firstTwo',
]
/** They rank and never abstain. */
const RANKING: readonly MetricName[] = ['service', 'top3', 'either', 'firstTwo']
/** Whose confidence is judged, too. */
const JUDGED: ReadonlySet<string> = new Set(['engine', 'source left out'])

type Bootstrap = { readonly resamples: number; readonly seed: string }

/** Rows by set, view and variant, each method's under the other. Cases without a cause stand in the row of those they were made of. */
export function toRows(all: readonly Answers[], { resamples, seed }: Bootstrap): readonly Row[] {
  const rows = all.flatMap(({ method, variant, answers }) => {
    const views = [...Map.groupBy(answers, ({ each }) => `${toRowName(each)}${variant === '' ? '' : `, ${variant}`}`)]
    return views.map(([view, own]): Row => {
      const names = JUDGED.has(method) ? NAMES : RANKING
      const figures = names.flatMap((name) => {
        const figure = measure(own, name, resamples, seed)
        return figure ? [[name, figure] as const] : []
      })
      const withCause = own.filter(({ each }) => each.truth !== null).length
      return { view, method, withCause, withoutCause: own.length - withCause, figures: Object.fromEntries(figures) }
    })
  })
  const order = [...new Set(rows.map(({ view }) => view))]
  return rows.toSorted((a, b) => order.indexOf(a.view) - order.indexOf(b.view))
}

/** The row of a case: `abstain` are those of `change` without their true change, `missing` those of `generated`. */
export function toRowName(each: Case): string {
  return toView(each)
    .replace(/^abstain\b/, 'change')
    .replace(/^missing\b/, 'generated')
}

const HEADS: Readonly<Record<MetricName, string>> = {
  change: 'top-1',
  service: 'by service',
  top3: 'top-3',
  answered: 'answered',
  falseClaims: 'false claims',
  brier: 'Brier',
  confidentlyWrong: 'wrong > .7',
  confidentlyRight: 'right > .7',
  either: 'either cause',
  firstTwo: 'own in two',
}

/** Rows as a table, figures with their 95 % intervals. */
export function formatRows(rows: readonly Row[]): string {
  const short = (value: number) => value.toFixed(2).replace(/^0\./, '.')
  const toCell = (figure: Interval | undefined) => (figure ? `${short(figure.value)} (${short(figure.low)}–${short(figure.high)})` : '')
  const shown = NAMES.filter((name) => rows.some(({ figures }) => figures[name]))
  const table = [
    ['set, view and variant', 'method', 'n', ...shown.map((name) => HEADS[name])],
    ...rows.map(({ view, method, withCause, withoutCause, figures }) => [
      view,
      method,
      `${withCause}+${withoutCause}`,
      ...shown.map((name) => toCell(figures[name])),
    ]),
  ]
  return formatTable(table)
}

/** Cells in columns, the first row their heads. */
export function formatTable(table: readonly (readonly string[])[]): string {
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

/** The mean over the sets of what is judged of each: every set counts alike. */
export function toMeans(rows: readonly Row[], method: string): Readonly<Partial<Record<MetricName, number>>> {
  const own = rows.filter((row) => row.method === method)
  const means = NAMES.flatMap((name) => {
    const values = own.flatMap(({ figures }) => figures[name]?.value ?? [])
    return values.length === 0 ? [] : [[name, values.reduce((sum, value) => sum + value, 0) / values.length] as const]
  })
  return Object.fromEntries(means)
}
