import type { Child } from 'hono/jsx'
import type { Integration } from '../../domain/access/integration.ts'
import type { Door } from '../../domain/doors/door.ts'
import { DOORS } from '../../domain/doors/index.ts'
import type { IntegrationId } from '../../domain/ids.ts'
import type { DoorType } from '../../domain/integration-type.ts'
import type { DeliveryKind, DeliveryOutcome, DoorDeliveries } from '../../store/door-deliveries.ts'
import { Age, ForManagers, Live, Outside, Table, Wait } from '../parts.tsx'
import { toShortReason } from './senders.tsx'

const MAX_OUTCOME = 240

export type DeliveriesProps = {
  readonly type: DoorType
  /** `undefined`: there is none yet. */
  readonly integration: Integration | undefined
  readonly deliveries: DoorDeliveries
  readonly now: Date
}

/** Whether anything has arrived, and what became of it. The page looks by itself every two seconds while it waits. */
export const Arrival = ({ type, integration, deliveries, now }: DeliveriesProps) => {
  const { latest, sample } = deliveries
  const [newest] = latest
  const id = integration?.id
  return (
    <Live id="arrival" of={[newest, id]} news={toNews(newest)} soon={integration !== undefined && newest?.kind !== 'taken'}>
      {newest ? (
        <Arrived type={type} outcome={newest} now={now}>
          {id && <LetInForm type={type} id={id} outcome={newest} />}
        </Arrived>
      ) : (
        id && (
          <Wait title="Waiting for the first delivery" more="This page sees it within 2 s. Without a script: reload.">
            {!sample && <SampleForm type={type} id={id} />}
          </Wait>
        )
      )}
    </Live>
  )
}

/** What became of a sample, and of the latest ten deliveries. */
export const Deliveries = ({ type, integration, deliveries, now }: DeliveriesProps) => {
  const { latest, today, sample } = deliveries
  const [newest] = latest
  const id = integration?.id
  return (
    <Live id="deliveries" of={[deliveries, id]} news={toNews(newest)}>
      {sample && <Sampled type={type} outcome={sample} now={now} />}
      <section aria-labelledby="latest">
        <h2 id="latest">Last deliveries</h2>
        {newest ? (
          <>
            <p class="small quiet">
              Today: {today.taken} taken, {today.ignored} ignored, {today.refused} refused.
            </p>
            <OutcomeTable outcomes={latest} now={now} />
          </>
        ) : (
          <p class="quiet">None yet.</p>
        )}
        {id && (
          <div class="row small">
            {(newest || sample) && <SampleForm type={type} id={id} />}
            <p class="quiet">A sample goes the whole way, marked as a test: nobody is told, and it is gone after ten minutes.</p>
          </div>
        )}
      </section>
    </Live>
  )
}

function toNews(newest: DeliveryOutcome | undefined): string {
  return newest ? `A delivery has arrived: ${newest.text.slice(0, MAX_OUTCOME)}` : 'Waiting for the first delivery.'
}

const SampleForm = ({ type, id }: { readonly type: DoorType; readonly id: IntegrationId }) => (
  <ForManagers>
    <form method="post" action={`/connect/${type}/sample`}>
      <input type="hidden" name="integration" value={id} />
      <button type="submit" class="minor">
        Send a sample
      </button>
    </form>
  </ForManagers>
)

/** Why an environment was left out, and nothing else. */
const LEFT_OUT = /^ignored: (?:\d+ × )?environment ([^,]{1,64})$/

const LetInForm = ({ type, id, outcome }: { readonly type: DoorType; readonly id: IntegrationId; readonly outcome: DeliveryOutcome }) => {
  const environment = LEFT_OUT.exec(outcome.text)?.[1]
  if (environment === undefined) return null
  return (
    <ForManagers>
      <form method="post" action={`/connect/${type}/environment`}>
        <input type="hidden" name="integration" value={id} />
        <input type="hidden" name="environment" value={environment} />
        <button type="submit" class="minor">
          Let <Outside max={20}>{environment}</Outside> through
        </button>
      </form>
    </ForManagers>
  )
}

const MARKS: Readonly<Record<DeliveryKind, { readonly tone: string; readonly path: string }>> = {
  taken: { tone: 'good', path: 'm5 12.500 4.500 4.500L19 7.500' },
  ignored: { tone: '', path: 'M6 12h12' },
  refused: { tone: 'bad', path: 'm6 6 12 12M18 6 6 18' },
}

const NEXT: Readonly<Record<Door['brings'], { readonly path: string; readonly text: string }>> = {
  alerts: { path: '/incidents', text: 'See the incidents' },
  deploys: { path: '/services', text: 'See the services' },
  flags: { path: '/services', text: 'See the services' },
  logs: { path: '/services', text: 'See the services' },
}

type OutcomeProps = { readonly type: DoorType; readonly outcome: DeliveryOutcome; readonly now: Date; readonly children?: Child }

const Arrived = ({ outcome, ...props }: OutcomeProps) => {
  const { kind, text } = outcome
  const title = kind === 'refused' ? `Refused: ${toShortReason(text)}` : kind === 'ignored' ? 'Arrived, and was ignored' : 'It delivers'
  return <Became {...props} outcome={outcome} title={title} />
}

const Sampled = ({ outcome, ...props }: OutcomeProps) => (
  <div id="sample" role="status">
    <Became {...props} outcome={outcome} title={outcome.kind === 'taken' ? 'The sample went through' : 'The sample was ignored'} />
  </div>
)

/** What became of a delivery, and where to see it. */
const Became = ({ type, outcome: { kind, text, at, incidentId }, now, title, children }: OutcomeProps & { readonly title: string }) => {
  const { tone, path } = MARKS[kind]
  const next = incidentId === undefined ? NEXT[DOORS[type].brings] : { path: `/incidents/${incidentId}`, text: 'Open the incident' }
  return (
    <Wait
      title={title}
      path={path}
      tone={tone}
      more={
        <>
          <Outside max={MAX_OUTCOME}>{text}</Outside>, <Age at={at} now={now} />
        </>
      }
    >
      {kind === 'taken' && (
        <a class="button" href={next.path}>
          {next.text}
        </a>
      )}
      {children}
    </Wait>
  )
}

const KINDS: Readonly<Record<DeliveryKind, string>> = { taken: 'Taken', ignored: 'Ignored', refused: 'Refused' }

const OutcomeTable = ({ outcomes, now }: { readonly outcomes: readonly DeliveryOutcome[]; readonly now: Date }) => (
  <Table heads={['Received', 'Outcome', 'What became of it']}>
    {outcomes.map(({ at, kind, text }) => (
      <tr>
        <td>
          <Age at={at} now={now} />
        </td>
        <td>
          <span class={`badge ${MARKS[kind].tone || 'neutral'}`}>{KINDS[kind]}</span>
        </td>
        <td>
          <Outside max={MAX_OUTCOME}>{text}</Outside>
        </td>
      </tr>
    ))}
  </Table>
)
