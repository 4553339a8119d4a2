import type { Child } from 'hono/jsx'
import type { LaterEvent } from '../../store/aftermath.ts'
import type { IncidentDetail } from '../../store/incidents.ts'
import { toAftermath } from '../aftermath.ts'
import { type AnswerRows, type Row, toAnswerRows } from '../answer-rows.ts'
import { Sentence } from '../parts.tsx'
import { toShownAnswer } from '../shown-answer.ts'
import { Meter } from './incident-parts.tsx'
import { toCorrectionText } from './incident-verdict.tsx'

const ICONS = {
  broke: 'm3 3 8 8M11 3l-8 8',
  blame: 'M7 2 12 11.5H2Z',
  nothing: 'M7 2A5 5 0 0 1 12 7M11 10A5 5 0 0 1 4 11M2 8A5 5 0 0 1 4 3',
  act: 'M2 7H12M8 3l4 4-4 4',
  done: 'M2 7.5 5.5 11 12 3.5',
  sure: 'M7 2A5 5 0 1 1 6.9 2M7 4V7L9 8.5',
  looked: 'M1 7S3 3 7 3 13 7 13 7 11 11 7 11 1 7 1 7Z',
} as const

type LineProps = { readonly icon: keyof typeof ICONS; readonly label: string; readonly row: Row; readonly kind?: string }

const Line = ({ icon, label, row: { main, more }, kind, children }: LineProps & { readonly children?: Child }) => (
  <div class={kind}>
    <dt>
      <svg viewBox="0 0 14 14" aria-hidden="true">
        <path d={ICONS[icon]} />
      </svg>
      {label}
    </dt>
    <dd class={children === undefined ? undefined : 'sure'}>
      <p class="main">
        <Sentence>{main}</Sentence>
      </p>
      {children}
      {more !== '' && (
        <p class="more">
          <Sentence>{more}</Sentence>
        </p>
      )}
    </dd>
  </div>
)

/** An incident's latest answer with all that its pages show of it, if there is one, and what followed the alert. */
export function toShownIncident(incident: IncidentDetail, later: readonly LaterEvent[], now: Date) {
  const [latest] = incident.diagnoses
  const answer = latest && toShownAnswer(latest)
  const aftermath = toAftermath({ incident, latest, answer, later, now })
  if (!latest || !answer) return { aftermath, told: undefined }
  const rows = toAnswerRows({ incident, latest, answer, aftermath, correction: toCorrectionText(latest.correction), now })
  return { aftermath, told: { latest, answer, rows } }
}

/** An answer at a glance: what broke, what is to blame, what to do, how sure; and what is asked about it. */
export const AnswerCard = ({ rows, children }: { readonly rows: AnswerRows; readonly children?: Child }) => (
  <section class="card told" aria-labelledby="answer">
    <h2 id="answer" class="hidden">
      The answer
    </h2>
    <dl>
      <Line icon="broke" label="What broke" row={rows.broke} />
      <Line icon={rows.lookedAt ? 'nothing' : 'blame'} label="To blame" row={rows.blame} />
      {rows.act && <Line icon={rows.act.isDone ? 'done' : 'act'} label="Do now" row={rows.act} kind={rows.act.isDone ? 'done' : 'do'} />}
      {rows.sure && (
        <Line icon="sure" label="How sure" row={rows.sure}>
          <Meter of={rows.sure.share} />
        </Line>
      )}
      {rows.lookedAt && <Line icon="looked" label="Looked at" row={rows.lookedAt} />}
    </dl>
    {children}
  </section>
)
