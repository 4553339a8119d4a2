import type { Deps } from '../../deps.ts'
import { type Quality, toQuality } from '../../domain/incident/quality.ts'
import { readVerdicts } from '../../store/verdicts.ts'
import { count, toPercent } from '../labels.ts'
import { renderPage } from '../layout.tsx'
import { createPageRouter, readPage } from '../page-request.ts'
import { SettingsHead } from '../parts.tsx'

/** How often answers were right, and whether their confidence meant it. */
export const qualityPages = (deps: Deps) =>
  createPageRouter().get('/settings/quality', async (c) => {
    const { judged, answers, abstained } = await readPage(c, deps, (db, tenantId) => readVerdicts(db, tenantId))
    const quality = toQuality(judged, { total: answers, abstained })
    return renderPage(
      c,
      { title: 'Quality', now: deps.now(), tab: 'settings' },
      <>
        <SettingsHead at="/settings/quality" />
        {quality.verdicts === 0 ? (
          <div class="empty">
            <h2>No verdicts yet</h2>
            <p>
              Mark <a href="/incidents">an incident</a>’s answer as confirmed or wrong: this page then shows how often answers were right,
              and whether a confidence of 80 % means right four times out of five.
            </p>
          </div>
        ) : (
          <div class="stack">
            <ul class="said">
              {tellQuality(quality, answers, abstained).map((sentence) => (
                <li>{sentence}</li>
              ))}
            </ul>
            <details class="more">
              <summary>The figures</summary>
              <div class="columns">
                <Figures quality={quality} answers={answers} />
                <Calibration bands={quality.reliability} />
              </div>
            </details>
          </div>
        )}
      </>,
    )
  })

const SURE = 0.8

/** How good answers were, in three sentences, in counts: of 400 answers, 399 are not all. Of no answer nothing is said. */
function tellQuality({ verdicts, confirmed, reliability }: Quality, answers: number, abstained: number): readonly string[] {
  const sure = reliability.filter(({ from }) => from >= SURE)
  const total = sure.reduce((sum, band) => sum + band.answers, 0)
  const right = sure.reduce((sum, band) => sum + band.confirmed, 0)
  return [
    `Of the latest ${count(verdicts, 'answer')} that somebody judged, ${count(confirmed, 'was', 'were')} right.`,
    total === 0
      ? `No judged answer was ${toPercent(SURE)} sure or more.`
      : `Of ${count(total, 'judged answer')} that ${total === 1 ? 'was' : 'were'} ${toPercent(SURE)} sure or more, ${count(right, 'was', 'were')} right.`,
    ...(answers === 0
      ? []
      : [
          `Of the latest ${count(answers, 'answer')}, ${abstained.toLocaleString('en')} named no cause, because nothing on record explained the incident.`,
        ]),
  ]
}

type FigureProps = { readonly quality: Quality; readonly answers: number }

const Figures = ({ quality: { verdicts, confirmed, rejected, accuracy, brier, abstained }, answers }: FigureProps) => (
  <section aria-labelledby="figures">
    <h2 id="figures">Verdicts</h2>
    <dl class="facts">
      <dt>Right</dt>
      <dd>
        <strong>{accuracy === null ? 'unknown' : toPercent(accuracy)}</strong> of {count(verdicts, 'judged answer')}
      </dd>
      <dt>Confirmed</dt>
      <dd>{confirmed}</dd>
      <dt>Marked wrong</dt>
      <dd>{rejected}</dd>
      <dt>Brier score</dt>
      <dd>
        {brier?.toFixed(3)} <span class="quiet small">0 is perfect, 0.25 is a coin’s</span>
      </dd>
      <dt>No cause named</dt>
      <dd>
        {abstained === null ? 'unknown' : toPercent(abstained)} of {count(answers, 'answer')}
      </dd>
    </dl>
  </section>
)

const SIZE = 280
const EDGE = 34
const TOP = 26

const Calibration = ({ bands }: { readonly bands: Quality['reliability'] }) => {
  const shown = bands.filter(({ answers }) => answers > 0)
  const most = Math.max(1, ...shown.map(({ answers }) => answers))
  const toX = (share: number) => EDGE + share * (SIZE - EDGE - 10)
  const toY = (share: number) => TOP + (1 - share) * (SIZE - EDGE - TOP)
  return (
    <section aria-labelledby="calibration">
      <h2 id="calibration">Does confidence mean it?</h2>
      <p class="quiet small">
        Dots on the line do. Above it answers were too modest, below it too sure. Bigger dots stand for more answers. An answer that names
        no cause counts by how likely it was held that no recorded change is to blame.
      </p>
      <svg class="chart calibration" viewBox={`0 0 ${SIZE} ${SIZE}`} role="img" aria-labelledby="cal-title">
        <title id="cal-title">How often answers were right, by their confidence. The table below has the numbers.</title>
        {[0, 0.5, 1].map((share) => (
          <>
            <line class="rule" x1={toX(0)} x2={toX(1)} y1={toY(share)} y2={toY(share)} />
            <text x={EDGE - 6} y={toY(share) + 4} text-anchor="end">
              {100 * share}
            </text>
            <text x={toX(share)} y={SIZE - EDGE + 16} text-anchor="middle">
              {100 * share}
            </text>
          </>
        ))}
        <text x={toX(0.5)} y={SIZE - 4} text-anchor="middle">
          confidence, %
        </text>
        <text x="0" y="10">
          right, %
        </text>
        <line class="ideal" x1={toX(0)} y1={toY(0)} x2={toX(1)} y2={toY(1)} />
        {shown.map(({ from, to, answers, confirmed }) => (
          <circle class="dot" cx={toX((from + to) / 2)} cy={toY(confirmed / answers)} r={4 + 6 * Math.sqrt(answers / most)} />
        ))}
      </svg>
      <div class="scroll">
        <table>
          <thead>
            <tr>
              <th scope="col">Confidence</th>
              <th scope="col" class="number">
                Answers
              </th>
              <th scope="col" class="number">
                Right
              </th>
            </tr>
          </thead>
          <tbody>
            {shown.map(({ from, to, answers, confirmed }) => (
              <tr>
                <th scope="row">
                  {Math.round(100 * from)}–{toPercent(to)}
                </th>
                <td class="number">{answers}</td>
                <td class="number">{toPercent(confirmed / answers)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  )
}
