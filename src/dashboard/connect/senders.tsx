import { BRINGS, type Door } from '../../domain/doors/door.ts'
import { DOORS } from '../../domain/doors/index.ts'
import { DOOR_TYPES, type DoorType } from '../../domain/integration-type.ts'
import type { DeliveryOutcome } from '../../store/door-deliveries.ts'
import { Age, Live } from '../parts.tsx'

/** How far a sender is: `latest` is its newest delivery. */
export type SenderState = { readonly isConnected: boolean; readonly latest: DeliveryOutcome | undefined }

export type SenderListProps = {
  readonly open: DoorType
  readonly states: ReadonlyMap<DoorType, SenderState>
  readonly agents: { readonly all: number; readonly heard: number }
  readonly now: Date
}

const GROUPS: Readonly<Record<Door['brings'], string>> = {
  alerts: 'Alerts',
  deploys: 'Deploys',
  flags: 'Flags',
  logs: 'Logs and clusters',
}

/** How many senders deliver what is taken. */
export function countDelivering(states: SenderListProps['states']): number {
  return [...states.values()].filter(({ latest }) => latest?.kind === 'taken').length
}

/** All senders with the state of each: beside the one that is open or, where there is no room, folded above it. */
export const SenderList = (props: SenderListProps) => {
  const news = [...props.states].map(([type, { isConnected, latest }]) => [type, isConnected, latest?.kind])
  return (
    <Live id="senders" of={[news, props.agents]} news="A sender has news.">
      <nav class="senders card wide-list" aria-label="Senders">
        <Groups {...props} />
      </nav>
      <details class="card narrow-list">
        <summary>
          All senders, {countDelivering(props.states)} of {DOOR_TYPES.length} deliver
        </summary>
        <nav class="senders" aria-label="All senders">
          <Groups {...props} />
        </nav>
      </details>
    </Live>
  )
}

const Groups = ({ open, states, agents, now }: SenderListProps) => (
  <>
    {BRINGS.map((group) => (
      <>
        <h2>{GROUPS[group]}</h2>
        <ul>
          {DOOR_TYPES.filter((type) => DOORS[type].brings === group).map((type) => (
            <li>
              <a href={`/connect/${type}`} aria-current={type === open ? 'page' : undefined}>
                {DOORS[type].title}
                <State state={states.get(type)} now={now} />
              </a>
            </li>
          ))}
          {group === 'logs' && (
            <li>
              <a href={agents.all === 0 ? '/start' : '/agents'}>
                Agents on hosts
                {agents.all === 0 ? <span class="state">not yet</span> : <AgentState agents={agents} />}
              </a>
            </li>
          )}
        </ul>
      </>
    ))}
  </>
)

const AgentState = ({ agents: { all, heard } }: Pick<SenderListProps, 'agents'>) => (
  <span class={`state ${heard > 0 ? 'good' : ''}`}>{heard > 0 ? `✓ ${heard} of ${all}` : `0 of ${all} online`}</span>
)

const State = ({ state, now }: { readonly state: SenderState | undefined; readonly now: Date }) => {
  const latest = state?.latest
  if (!latest) return <span class="state">{state?.isConnected ? 'waiting' : 'not yet'}</span>
  if (latest.kind === 'refused') return <span class="state bad">✗ {toShortReason(latest.text)}</span>
  return (
    <span class={`state ${latest.kind === 'taken' ? 'good' : ''}`}>
      {latest.kind === 'taken' ? '✓' : '◉ ignored'} <Age at={latest.at} now={now} />
    </span>
  )
}

/** Why a delivery was refused, in a word or two. */
export function toShortReason(text: string): string {
  return text.includes('signature') ? 'wrong signature' : 'refused'
}
