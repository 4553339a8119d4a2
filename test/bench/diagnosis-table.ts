import { type Case, toSet, toView } from './diagnosis-cases.ts'
import { isGenerated } from './diagnosis-generate.ts'
import { type Answer, type Interval, type MetricName, measure } from './diagnosis-metrics.ts'

/** Figures of one way of answering over the cases of one set and view. */
export type Row = { readonly view: string; readonly method: string; readonly cases: number } & Readonly<
  Record<MetricName, Interval | undefined>
>

const NAMES: readonly MetricName[] = ['top1', 'top3', 'mrr', 'answered', 'falseClaims', 'brier', 'confidentlyWrong', 'confident']
const RANKING: ReadonlySet<MetricName> = new Set<MetricName>(['top1', 'top3', 'mrr'])
/** Whose confidence is judged, too. */
const JUDGED: ReadonlySet<string> = new Set(['engine', 'left out'])

type Bootstrap = { readonly resamples: number; readonly seed: string }

function toRow(view: string, method: string, answers: readonly Answer[], { resamples, seed }: Bootstrap): Row {
  const figures = NAMES.map((name) => [name, JUDGED.has(method) || RANKING.has(name) ? measure(answers, name, resamples, seed) : undefined])
  // The keys are NAMES, all of them: what `fromEntries` cannot tell.
  return { view, method, cases: answers.length, ...(Object.fromEntries(figures) as Record<MetricName, Interval | undefined>) }
}

/** Rows by set and view; confidence is also judged by view over cases with and without a true cause. */
export function toRows(methods: ReadonlyMap<string, readonly Answer[]>, bootstrap: Bootstrap): readonly Row[] {
  const views = [...new Set([...methods.values()].flat().map(({ each }) => toView(each)))]
  const byView = views.flatMap((view) =>
    [...methods].map(([method, answers]) =>
      toRow(
        view,
        method,
        answers.filter(({ each }) => toView(each) === view),
        bootstrap,
      ),
    ),
  )
  const judged = [...methods].filter(([method]) => JUDGED.has(method))
  const together = judged.flatMap(([method, answers]) =>
    [...Map.groupBy(answers, ({ each }) => toTogether(each))]
      .filter(([, own]) => new Set(own.map(({ each }) => toSet(each))).size > 1)
      .map(([view, own]) => toRow(view, method, own, bootstrap)),
  )
  return [...byView.filter(({ method, top1 }) => JUDGED.has(method) || top1), ...together]
}

function toTogether(each: Case): string {
  const [set = '', view] = toView(each).split(' ')
  return view === undefined ? set : `${isGenerated(each) ? 'generated + missing' : 'change + abstain'}, ${view}`
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

/** Rows as a table, figures with their 95 % intervals. */
export function formatRows(rows: readonly Row[]): string {
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
