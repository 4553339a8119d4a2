import { toKnownServices } from '../../domain/graph/callee.ts'
import type { CitedEntry } from '../../domain/incident/snapshot.ts'
import type { Aftermath } from '../aftermath.ts'
import { describeAnswer, drawAnswer } from '../answer-picture.ts'
import { Chart, Glyph } from '../chart.tsx'
import { nameTeller, tellEntry, tellRest, toShownKind } from '../event-words.ts'
import { count, toMoment } from '../labels.ts'
import { Besides, Sentence } from '../parts.tsx'
import { findCause, type ShownAnswer } from '../shown-answer.ts'
import { Clock } from './incident-parts.tsx'

const MAX_TEXT = 200
const AT_ONCE = 8

type Props = {
  readonly answer: ShownAnswer
  readonly isAbstained: boolean
  readonly aftermath: Aftermath
  /** The incident's page; `undefined`: there is none for whoever reads it. */
  readonly path: string | undefined
  readonly now: Date
  readonly isWholeDay: boolean
}

/** The way from the change to the alert, as a picture and as a numbered list. */
export const Picture = ({ answer, isAbstained, aftermath, path, now, isWholeDay }: Props) => {
  const { timeline, others } = drawAnswer({ answer, isAbstained, aftermath, path, now, isWholeDay })
  const { startMs, endMs } = timeline.range
  const alertAt = new Date(answer.snapshot.alert.triggered_at)
  const [from, until] = [startMs, endMs].map((ms) => toMoment(new Date(ms), alertAt).slice(0, -3))
  const title = isAbstained ? 'What failed first' : 'From the change to the alert'
  if (answer.entries.length === 0) return null
  return (
    <section aria-labelledby="way">
      <h2 id="way">
        {title}{' '}
        <span class="small quiet">
          {from} to {until} UTC
          {path !== undefined && (
            <>
              {' · '}
              <a href={isWholeDay ? `${path}#way` : `${path}?day=1#way`}>{isWholeDay ? 'the incident' : 'whole day'}</a>
            </>
          )}
        </span>
      </h2>
      <div class="card">
        <Chart id="chart" timeline={timeline} title={title} summary={describeAnswer(answer)} />
        <Steps answer={answer} isAbstained={isAbstained} />
        {others.length > 0 && (
          <details class="more">
            <summary class="small">{count(others.length, 'more service')}, none on this way</summary>
            <p class="small quiet">
              <Sentence max={2_000}>{others.join(', ')}</Sentence>
            </p>
          </details>
        )}
      </div>
    </section>
  )
}

const Steps = ({ answer, isAbstained }: { readonly answer: ShownAnswer; readonly isAbstained: boolean }) => {
  const { entries, cites, snapshot } = answer
  const causeId = isAbstained ? undefined : findCause(answer)?.id
  const known = toKnownServices(snapshot.windows.map(({ service }) => service))
  const steps = Map.groupBy(
    entries.filter(({ id }) => cites.has(id)),
    ({ id }) => cites.get(id) ?? 0,
  )
  const items = [...steps]
    .toSorted(([a], [b]) => a - b)
    .flatMap(([number, [entry, ...others]]) =>
      entry ? [{ number, entry, others, isCause: [entry, ...others].some(({ id }) => id === causeId) }] : [],
    )
    .map((step) => ({ ...step, said: tellEntry(step.entry, known) }))
    .map(({ number, entry, others, isCause, said }) => (
      <li id={`s${number}`} class={isCause ? 'cause' : undefined}>
        <b>{number}</b>
        <Clock at={entry.first_timestamp} beside={snapshot.alert.triggered_at} />
        <div>
          <p>
            <Glyph type={toShownKind(entry)} /> <Sentence max={MAX_TEXT}>{said}</Sentence>
            <Until entry={entry} alertAt={snapshot.alert.triggered_at} />
          </p>
          <p>
            {isCause && 'blamed · '}
            <Sentence max={MAX_TEXT}>{[tellRest(entry, said), nameTeller(entry)].filter(Boolean).join(' · ')}</Sentence>
            {others.length > 0 && ` · ${count(others.length, 'more message')} of the same rollout`}
            <Besides event={entry} />
          </p>
        </div>
      </li>
    ))
  if (items.length === 0) return null
  return (
    <>
      <ol class="steps-to">{items.slice(0, AT_ONCE)}</ol>
      {items.length > AT_ONCE && (
        <details class="more">
          <summary class="small">{count(items.length - AT_ONCE, 'more step')}</summary>
          <ol class="steps-to">{items.slice(AT_ONCE)}</ol>
        </details>
      )}
    </>
  )
}

const Until = ({ entry, alertAt }: { readonly entry: CitedEntry; readonly alertAt: string }) =>
  entry.count > 1 ? (
    <>
      , {entry.count} times until <Clock at={entry.timestamp} beside={alertAt} />
    </>
  ) : null
