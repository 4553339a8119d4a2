import type { Door } from '../../domain/doors/door.ts'
import { DOORS } from '../../domain/doors/index.ts'
import type { DoorType } from '../../domain/integration-type.ts'
import type { DeliveryKind, DeliveryOutcome, DoorDeliveries } from '../../store/door-deliveries.ts'
import { Age, Live, Outside } from '../parts.tsx'
import { toShortReason } from './senders.tsx'

const MAX_OUTCOME = 240

export type DeliveriesProps = {
  readonly type: DoorType
  readonly isConnected: boolean
  readonly deliveries: DoorDeliveries
  readonly now: Date
}

/** Whether anything has arrived, what became of it, and the latest ten. The page looks by itself every two seconds while it waits. */
export const Deliveries = ({ type, isConnected, deliveries, now }: DeliveriesProps) => {
  const { latest, today } = deliveries
  const [newest] = latest
  return (
    <Live id="deliveries" of={[deliveries, isConnected]} news={toNews(newest)} soon={isConnected && newest?.kind !== 'taken'}>
      {newest ? <Arrived type={type} outcome={newest} now={now} /> : isConnected && <Waiting />}
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
      </section>
    </Live>
  )
}

function toNews(newest: DeliveryOutcome | undefined): string {
  return newest ? `A delivery has arrived: ${newest.text.slice(0, MAX_OUTCOME)}` : 'Waiting for the first delivery.'
}

const Waiting = () => (
  <div class="wait">
    <svg viewBox="0 0 24 24" aria-hidden="true">
      <g class="turn">
        <path d="M12 3A9 9 0 1 1 3 12" />
      </g>
    </svg>
    <div>
      <h3>Waiting for the first delivery</h3>
      <p class="small quiet">This page sees it within 2 s. Without a script: reload.</p>
    </div>
  </div>
)

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

const Arrived = ({
  type,
  outcome: { kind, text, at },
  now,
}: {
  readonly type: DoorType
  readonly outcome: DeliveryOutcome
  readonly now: Date
}) => {
  const { tone, path } = MARKS[kind]
  const next = NEXT[DOORS[type].brings]
  return (
    <div class={`wait ${tone}`}>
      <svg viewBox="0 0 24 24" aria-hidden="true">
        <path d={path} />
      </svg>
      <div>
        <h3>{kind === 'refused' ? `Refused: ${toShortReason(text)}` : kind === 'ignored' ? 'Arrived, and was ignored' : 'It delivers'}</h3>
        <p class="small">
          <Outside max={MAX_OUTCOME}>{text}</Outside>, <Age at={at} now={now} />
        </p>
      </div>
      {kind === 'taken' && (
        <a class="button" href={next.path}>
          {next.text}
        </a>
      )}
    </div>
  )
}

const KINDS: Readonly<Record<DeliveryKind, string>> = { taken: 'Taken', ignored: 'Ignored', refused: 'Refused' }

const OutcomeTable = ({ outcomes, now }: { readonly outcomes: readonly DeliveryOutcome[]; readonly now: Date }) => (
  <div class="scroll">
    <table class="fold">
      <thead>
        <tr>
          <th scope="col">Received</th>
          <th scope="col">Outcome</th>
          <th scope="col">What became of it</th>
        </tr>
      </thead>
      <tbody>
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
      </tbody>
    </table>
  </div>
)
