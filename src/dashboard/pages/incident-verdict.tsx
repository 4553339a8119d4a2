import { toInner } from '../../domain/diagnosis/sentences.ts'
import { isChangeType } from '../../domain/event/event.ts'
import { type Correction, correctToEvent, type TaughtCorrection } from '../../domain/incident/correction.ts'
import { quoteName, toStorableText } from '../../domain/text.ts'
import type { IncidentDetail, StoredDiagnosis } from '../../store/incidents.ts'
import { type AnswerRows, listRivals } from '../answer-rows.ts'
import { nameChange, tellFailure } from '../event-words.ts'
import { capitalise, TYPE_NAMES, toActorName, toMoment, toShown } from '../labels.ts'
import type { Form } from '../page-request.ts'
import { ForManagers, Outside } from '../parts.tsx'
import { findCause, type ShownAnswer, toShownAnswer } from '../shown-answer.ts'

const MAX_HYPOTHESES = 3
const MAX_EVENTS = 60
const MAX_NAME = 90
const MAX_WORDS = 300

type Props = {
  readonly incident: IncidentDetail
  readonly latest: StoredDiagnosis
  readonly answer: ShownAnswer
  readonly rows: AnswerRows
}

/** Asks whether the answer is right and, where it is not, what it was. */
export const VerdictForms = ({ incident, latest, answer, rows }: Props) =>
  incident.verdict === 'confirmed' ? (
    <div class="row">
      <span>{toLesson(incident, latest, answer)}</span>
      <ForManagers>
        <Undo id={incident.id} label="Undo “yes”" />
      </ForManagers>
    </div>
  ) : (
    <ForManagers>
      {incident.verdict === null && (
        <form method="post" action={`/incidents/${incident.id}/verdict`} class="row">
          <span>{rows.question}</span>
          <button type="submit" name="verdict" value="confirmed" class="minor">
            Yes
          </button>
          <button type="submit" name="verdict" value="rejected" class="minor">
            No, something else
          </button>
        </form>
      )}
      {incident.verdict === 'rejected' && <WhatWasIt incident={incident} latest={latest} answer={answer} />}
      {latest.abstained && incident.verdict === null && (
        <details class="more">
          <summary>Do you know what it was?</summary>
          <WhatWasIt incident={incident} latest={latest} answer={answer} />
        </details>
      )}
    </ForManagers>
  )

const Undo = ({ id, label }: { readonly id: string; readonly label: string }) => (
  <form method="post" action={`/incidents/${id}/verdict`}>
    <button type="submit" name="verdict" value="none" class="minor">
      {label}
    </button>
  </form>
)

const WhatWasIt = ({ incident, latest, answer }: Omit<Props, 'rows'>) => {
  const { correction } = latest
  const blamed = findCause(answer)
  const first = latest.abstained ? blamed : undefined
  const candidates = [...(first ? [first] : []), ...listRivals({ answer, latest }).map(({ entry }) => entry)].slice(0, MAX_HYPOTHESES)
  const isOther = correction?.eventId != null && !candidates.some(({ id }) => id === correction.eventId)
  const chosen = correction === null ? candidates[0]?.id : (correction.eventId ?? 'unreported')
  const others = answer.entries.filter(({ id }) => id !== blamed?.id).toReversed()
  const events = [
    ...others.filter(({ event_type }) => isChangeType(event_type)),
    ...others.filter(({ event_type }) => !isChangeType(event_type)),
  ]
  return (
    <>
      <form method="post" action={`/incidents/${incident.id}/cause`} class="stack-small">
        <fieldset>
          <legend>What was it?</legend>
          {candidates.map((entry) => (
            <label class="pick">
              <input type="radio" name="cause" value={entry.id} checked={chosen === entry.id} />
              <Outside>{nameChange(entry)}</Outside>
            </label>
          ))}
          {events.length > 0 && (
            <div class="pick">
              <input type="radio" name="cause" id="cause-event" value="event" checked={isOther} />
              <label for="cause-event">Another event</label>
              <select name="event" aria-label="Which event">
                {events.slice(0, MAX_EVENTS).map((entry) => (
                  <option value={entry.id} selected={entry.id === correction?.eventId}>
                    {toShown(`${toMoment(new Date(entry.first_timestamp), incident.triggeredAt)} ${toName(entry)}`, MAX_NAME)}
                  </option>
                ))}
              </select>
            </div>
          )}
          <div class="pick">
            <input type="radio" name="cause" id="cause-text" value="unreported" checked={chosen === 'unreported' || chosen === undefined} />
            <label for="cause-text">Something nobody reported</label>
            <input
              name="text"
              aria-label="In your words"
              placeholder="in your words"
              maxlength={MAX_WORDS}
              autocomplete="off"
              value={correction?.eventId === null ? correction.text : ''}
            />
          </div>
        </fieldset>
        <p class="quiet">{toLesson(incident, latest, answer)}</p>
        <button type="submit" class="minor">
          Save what it was
        </button>
      </form>
      {incident.verdict === 'rejected' && <Undo id={incident.id} label="Undo “wrong”" />}
    </>
  )
}

function toName(entry: ShownAnswer['entries'][number]): string {
  return isChangeType(entry.event_type) ? nameChange(entry) : tellFailure(entry, new Map())
}

const ALIKE = 'when an incident looks like this one again'

/** What is learned of what an engineer said, or would be. */
function toLesson({ learns, verdict, verdictBy }: IncidentDetail, latest: StoredDiagnosis, answer: ShownAnswer): string {
  const cause = latest.abstained ? undefined : findCause(answer)
  const blamed = cause && `${TYPE_NAMES[cause.event_type].replace(/s?$/, 's')} of ${quoteName(cause.service)}`
  if (verdict === 'confirmed')
    return `Confirmed${verdictBy === null ? '' : ` by ${toActorName(verdictBy)}`}${learns && blamed ? `: ${blamed} count more ${ALIKE}.` : '. It counts on the quality page.'}`
  if (!learns) return 'What you say is kept here and counts on the quality page.'
  return latest.correction ? toTaught(latest.correction, blamed) : toTeachable(verdict === 'rejected' ? blamed : undefined)
}

function toTaught({ eventId, text }: Correction, blamed: string | undefined): string {
  if (eventId !== null) return `${text} counts more ${ALIKE}.`
  return blamed === undefined ? 'Your words are kept here.' : `Your words are shown ${ALIKE}, and ${blamed} count less.`
}

function toTeachable(blamed: string | undefined): string {
  if (blamed === undefined) return `An event that you name counts more ${ALIKE}; words of yours are kept here.`
  return `${capitalise(blamed)} count less ${ALIKE}. An event that you name counts more instead; words of yours are shown.`
}

/** What a form says it was; `undefined` where it says nothing that there is. */
export function readCorrectionForm({ cause = '', event = '', text = '' }: Form, latest: StoredDiagnosis): TaughtCorrection | undefined {
  if (cause === 'unreported') {
    const words = toStorableText(text).slice(0, MAX_WORDS).toWellFormed()
    return { text: words === '' ? 'something nobody reported' : words, eventId: null, cause: null }
  }
  const entry = toShownAnswer(latest).entries.find(({ id }) => id === (cause === 'event' ? event : cause))
  return entry && correctToEvent(entry, toName(entry))
}

/** What it was, as the answer's rows have it. */
export function toCorrectionText(correction: Correction | null): string | undefined {
  if (correction === null) return undefined
  return correction.eventId === null ? `“${correction.text}”` : toInner(correction.text)
}
