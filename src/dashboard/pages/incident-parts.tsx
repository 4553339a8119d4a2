import type { Incident } from '../../store/incidents.ts'
import { nameTeller } from '../event-words.ts'
import { toMoment } from '../labels.ts'
import { Badge, Outside, Sure } from '../parts.tsx'

type IncidentProps = { readonly incident: Incident }

/** How far an incident is. */
export const StateBadge = ({ incident: { resolvedAt, status } }: IncidentProps) => {
  if (resolvedAt !== null) return <Badge sign="check">Resolved</Badge>
  if (status === 'failed') return <Badge kind="warn">Not diagnosed</Badge>
  return status === 'diagnosing' ? (
    <Badge kind="warn" hollow>
      Diagnosing
    </Badge>
  ) : (
    <Badge kind="bad">Active</Badge>
  )
}

/** What was said of an answer. */
export const VerdictBadge = ({ verdict }: Pick<Incident, 'verdict'>) => {
  if (verdict === null) return null
  return verdict === 'confirmed' ? (
    <Badge kind="good" sign="check">
      Confirmed
    </Badge>
  ) : (
    <Badge kind="bad" sign="cross">
      Marked wrong
    </Badge>
  )
}

/** Leads from an incident of a storm to the one whose answer it shares. */
export const StormBadge = ({ incident: { diagnosisOf } }: IncidentProps) =>
  diagnosisOf === null ? null : (
    <a href={`/incidents/${diagnosisOf}`} class="storm">
      <Badge hollow>Part of a storm</Badge>
    </a>
  )

/** Who told of an event, and who acted. */
export const Reporter = ({ event }: { readonly event: { readonly vendor: string; readonly actor: string | null } }) => (
  <>
    <Outside>{nameTeller(event)}</Outside>
    {event.actor !== null && (
      <span class="quiet small">
        {' '}
        by <Outside>{event.actor}</Outside>
      </span>
    )}
  </>
)

/** Closes an incident whose pager did not. */
export const ResolveForm = ({ incident: { id, resolvedAt } }: IncidentProps) =>
  resolvedAt === null ? (
    <Sure label="Resolve" action={`/incidents/${id}/resolve`} button="Mark as resolved">
      A later alert for the service will then be an incident of its own.
    </Sure>
  ) : null

/** A time of the day, with its date where that is another than `beside`'s. */
export const Clock = ({ at, beside }: { readonly at: string; readonly beside: string }) => (
  <time datetime={at}>{toMoment(new Date(at), new Date(beside))}</time>
)

/** A share as a bar. */
export const Meter = ({ of }: { readonly of: number }) => (
  <svg viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true">
    <rect width="100" height="8" rx="1.5" />
    <rect width={Math.round(100 * of)} height="8" rx="1.5" />
  </svg>
)
