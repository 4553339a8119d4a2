import { toSureness } from '../../domain/telling/message.ts'
import { defang, defangSentence, isolate, isolateText } from '../../domain/text.ts'
import type { LaterEvent } from '../../store/aftermath.ts'
import type { IncidentCard } from '../../store/incident-cards.ts'
import type { IncidentDetail, SimilarIncident, StoredDiagnosis, StoredNote } from '../../store/incidents.ts'
import type { AnswerRows, Row } from '../answer-rows.ts'
import { toPageWords } from '../event-words.ts'
import { INTEGRATION_WORDS, toSourceName } from '../integrations/index.ts'
import { count, toMoment, toPercent, toSpan } from '../labels.ts'
import { Age, Badge, Exact, ForManagers, Live, Notice, Outside, Sentence, Wait } from '../parts.tsx'
import type { ShownAnswer } from '../shown-answer.ts'
import { AnswerCard, toShownIncident } from './incident-answer.tsx'
import { Causes, Gaps } from './incident-causes.tsx'
import { Events, type EventsQuery } from './incident-events.tsx'
import { SameCause } from './incident-list.tsx'
import { ResolveForm, StateBadge, VerdictBadge } from './incident-parts.tsx'
import { Picture } from './incident-picture.tsx'
import { ShareBox } from './incident-share.tsx'
import { Since } from './incident-since.tsx'
import { VerdictForms } from './incident-verdict.tsx'

const MAX_SENTENCE = 600

type Props = {
  readonly incident: IncidentDetail
  readonly later: readonly LaterEvent[]
  readonly sameCause: readonly IncidentCard[]
  readonly now: Date
  readonly done: string | undefined
  readonly events: EventsQuery
  /** Whether the picture is of a day. */
  readonly isWholeDay: boolean
}

/** One incident: the answer, what followed it, the picture it rests on, and everything that picture was made from. */
export const IncidentPage = ({ incident, later, sameCause, now, done, events, isWholeDay }: Props) => {
  const path = `/incidents/${incident.id}`
  const { aftermath, told } = toShownIncident(incident, later, now)
  const earlier = incident.diagnoses.slice(1)
  return (
    <>
      <Head incident={incident} sameCause={sameCause.length} now={now} isQuiet={aftermath.quietSince !== undefined} />
      <Notice done={done} />
      <Muted incident={incident} />
      <Live
        id="now"
        of={[incident.status, incident.attempts, incident.verdict, told?.rows, aftermath.steps, incident.shares]}
        news={`News: ${aftermath.steps.at(-1)?.text}`}
        soon={!told}
      >
        {told ? <Answered incident={incident} {...told} /> : <Undiagnosed incident={incident} />}
        {told?.latest.abstained && <Gaps answer={told.answer} />}
        <Since aftermath={aftermath} alertAt={incident.triggeredAt} isOpen={incident.resolvedAt === null} />
      </Live>
      {told && (
        <Live id="picture" of={[told.latest.number, incident.verdict, aftermath.steps]} news="">
          <Picture
            answer={told.answer}
            isAbstained={told.latest.abstained}
            aftermath={aftermath}
            path={path}
            now={now}
            isWholeDay={isWholeDay}
          />
        </Live>
      )}
      <Live id="incident" of={[incident, sameCause]} news="The incident has changed.">
        <SameCause incidents={sameCause} now={now} />
        {told && <Causes answer={told.answer} latest={told.latest} />}
        <Similar incidents={incident.similar.filter(isEarlierOf(incident, sameCause))} now={now} />
        {told && <Events answer={told.answer} query={events} path={path} />}
        <Notes notes={incident.notes} />
        {earlier.length > 0 && <Earlier diagnoses={earlier} />}
      </Live>
    </>
  )
}

const Muted = ({ incident: { maintenance, triggeredAt } }: { readonly incident: IncidentDetail }) =>
  maintenance === null ? null : (
    <p class="notice">
      It began in a maintenance window, until {toMoment(maintenance.until, triggeredAt)} UTC: nobody is told.{' '}
      <Outside>{maintenance.reason ?? ''}</Outside>
    </p>
  )

type HeadProps = { readonly incident: IncidentDetail; readonly sameCause: number; readonly now: Date; readonly isQuiet: boolean }

const Head = ({ incident, sameCause, now, isQuiet }: HeadProps) => (
  <div class="head">
    <div>
      <p class="crumb">
        <a href="/incidents">Incidents</a>
      </p>
      <h1>
        <Outside>{incident.title ?? `Incident on ${incident.serviceName}`}</Outside>
      </h1>
      <Live id="state" of={[incident.status, incident.resolvedAt, incident.verdict, isQuiet, sameCause]} news="">
        <div class="row">
          <StateBadge incident={incident} />
          {isQuiet && incident.resolvedAt === null ? (
            <Badge kind="good" sign="up">
              Recovering
            </Badge>
          ) : (
            <VerdictBadge verdict={incident.verdict} />
          )}
          <span class="quiet">
            <a href={`/services/${incident.serviceId}`}>
              <Outside>{incident.serviceName}</Outside>
            </a>
            {' · '}
            <Lasting incident={incident} now={now} />
            {sameCause > 0 && (
              <>
                {' · '}
                <a href="#same">{`${sameCause + 1} incidents, one cause`}</a>
              </>
            )}
            {incident.diagnosisOf !== null && (
              <>
                {' · '}
                <a href={`/incidents/${incident.diagnosisOf}`}>part of a storm</a>
              </>
            )}
          </span>
        </div>
      </Live>
    </div>
    <div class="row corner">
      <PagerLink url={incident.url} source={incident.externalSource} />
      <ResolveForm incident={incident} />
    </div>
  </div>
)

/** How long it has lasted, since when, and by whom it is known. */
const Lasting = ({
  incident: { triggeredAt, resolvedAt, externalSource },
  now,
}: {
  readonly incident: IncidentDetail
  readonly now: Date
}) => (
  <>
    {resolvedAt === null ? 'for ' : 'lasted '}
    {toSpan((resolvedAt ?? now).getTime() - triggeredAt.getTime())}, alert at{' '}
    <time datetime={triggeredAt.toISOString()} data-local="">
      {toMoment(triggeredAt, now)} UTC
    </time>
    {externalSource !== null && ` · from ${toSourceName(externalSource)}`}
  </>
)

/** An answer as lines for a chat: what came from outside is on one line and turns into nothing there. */
function toChatText({ title, serviceName, resolvedAt }: IncidentDetail, { broke, blame, act, sure, lookedAt }: AnswerRows): string {
  const line = (label: string, row: Row | undefined) =>
    row ? [isolate(`${label}: ${defangSentence(`${row.main}. ${row.more}`.trim(), MAX_SENTENCE)}`)] : []
  return [
    `${isolateText(defang(title ?? serviceName, MAX_SENTENCE))} (${resolvedAt === null ? 'active' : 'resolved'})`,
    ...line('What broke', broke),
    ...line('To blame', blame),
    ...line('Do now', act),
    ...line('How sure', sure),
    ...line('Looked at', lookedAt),
  ].join('\n')
}

const PagerLink = ({ url, source }: { readonly url: string | null; readonly source: string | null }) =>
  url !== null && /^https:\/\//.test(url) ? (
    <a class="button" href={url} rel="noreferrer noopener">
      Open in {toSourceName(source)}
    </a>
  ) : null

const Undiagnosed = ({ incident: { id, status, failure, attempts, retryAt, triggeredAt } }: { readonly incident: IncidentDetail }) => {
  if (failure === null) return <Wait title="Diagnosing …" more="Usually 2 s. This page follows." />
  const next = status === 'failed' || retryAt === null ? 'then given up' : `next at ${toMoment(retryAt, triggeredAt)}`
  return (
    <Wait
      title="Not diagnosed"
      path="M12 3A9 9 0 1 1 11.9 3"
      more={
        <>
          <Outside>{failure}</Outside>. Tried {count(attempts, 'time')}, {next}.
        </>
      }
    >
      <ForManagers>
        <form method="post" action={`/incidents/${id}/retry`}>
          <button type="submit">Try now</button>
        </form>
      </ForManagers>
    </Wait>
  )
}

type AnsweredProps = {
  readonly incident: IncidentDetail
  readonly latest: StoredDiagnosis
  readonly answer: ShownAnswer
  readonly rows: AnswerRows
}

const Answered = ({ incident, latest, answer, rows }: AnsweredProps) => (
  <>
    <AnswerCard rows={rows}>
      <footer>
        <VerdictForms incident={incident} latest={latest} answer={answer} rows={rows} />
        <div class="end">
          <details class="sure">
            <summary>Copy as text</summary>
            <pre class="code" data-copy="the text">
              <code>{toChatText(incident, rows)}</code>
            </pre>
          </details>
          <ShareBox incident={incident} />
        </div>
      </footer>
    </AnswerCard>
    {latest.changed !== null && (
      <p class="small">
        <strong>Second look.</strong> What is different: <Sentence>{toPageWords(latest.changed)}</Sentence>
      </p>
    )}
  </>
)

/** Of incidents alike those that are told nowhere else on the page. */
const isEarlierOf =
  ({ triggeredAt }: IncidentDetail, sameCause: readonly IncidentCard[]) =>
  (similar: SimilarIncident) =>
    similar.triggeredAt < triggeredAt && sameCause.every(({ id }) => id !== similar.id)

const Similar = ({ incidents, now }: { readonly incidents: readonly SimilarIncident[]; readonly now: Date }) =>
  incidents.length === 0 ? null : (
    <section aria-labelledby="similar">
      <h2 id="similar">Similar incidents before</h2>
      <ul class="cards card">
        {incidents
          .map((incident) => ({ ...incident, whatHelped: tellHelp(incident) }))
          .map(({ id, title, serviceName, hypothesis, verdict, similarity, triggeredAt, whatHelped }) => (
            <li>
              <a href={`/incidents/${id}`}>
                <Outside>{title ?? serviceName}</Outside>
              </a>{' '}
              <VerdictBadge verdict={verdict} />{' '}
              <span class="small quiet">
                {toPercent(similarity)} alike, <Age at={triggeredAt} now={now} />
              </span>
              <br />
              <Sentence>{toPageWords(hypothesis)}</Sentence>
              <br />
              <span class="small quiet">
                <Sentence>{whatHelped}</Sentence>
              </span>
            </li>
          ))}
      </ul>
    </section>
  )

/** What is known to have helped in a past incident. */
function tellHelp({ correction, verdict, wasUndone, triggeredAt, resolvedAt }: SimilarIncident): string {
  const lasted = resolvedAt === null ? 'It is not resolved.' : `Resolved after ${toSpan(resolvedAt.getTime() - triggeredAt.getTime())}.`
  const instead = correction !== null && verdict === 'rejected' ? `It was: ${correction}. ` : ''
  return `${instead}${wasUndone ? 'The blamed change was undone. ' : ''}${lasted}`
}

const NOTE_STATES: Readonly<Record<StoredNote['state'], string>> = {
  due: 'waiting to be posted',
  queued: 'waiting to be posted',
  done: 'posted',
  given_up: 'given up',
}

const Notes = ({ notes }: { readonly notes: readonly StoredNote[] }) =>
  notes.length === 0 ? null : (
    <details class="card">
      <summary>What was told</summary>
      {notes.map(({ state, content, doneAt, reason, attempts, receiver }) => (
        <div class="stack">
          <p class="small quiet">
            {receiver === null ? 'Note at the pager' : INTEGRATION_WORDS[receiver].title}: {NOTE_STATES[state]}
            {doneAt !== null && state === 'done' && (
              <>
                {' '}
                <Exact at={doneAt} />
              </>
            )}
            {attempts > 1 && `, after ${attempts} attempts`}
            {reason !== null && state !== 'done' && (
              <>
                : <Outside max={MAX_SENTENCE}>{reason}</Outside>
              </>
            )}
          </p>
          {content !== null && <pre class="note">{content}</pre>}
        </div>
      ))}
    </details>
  )

const Earlier = ({ diagnoses }: { readonly diagnoses: readonly StoredDiagnosis[] }) => (
  <details class="card">
    <summary>Earlier answers</summary>
    <ul class="cards">
      {diagnoses.map(({ hypothesis, confidence, madeAt, verdict }) => (
        <li>
          <Sentence>{toPageWords(hypothesis)}</Sentence>{' '}
          <span class="quiet small">
            {toSureness(confidence)}, <Exact at={madeAt} />
            {verdict !== null && `, ${verdict === 'confirmed' ? 'confirmed' : 'marked wrong'}`}
          </span>
        </li>
      ))}
    </ul>
  </details>
)
