import type { Incident } from '../../store/incidents.ts'
import { toActorName, toMoment } from '../labels.ts'
import { Badge, Sure } from '../parts.tsx'

/** What state an incident is in, and what its answer was found to be. */
export const Badges = ({
  incident: { status, resolvedAt, verdict, verdictBy, diagnosisOf, isPosted },
}: {
  readonly incident: Incident
}) => (
  <>
    {resolvedAt === null ? <Badge kind="bad">Active</Badge> : <Badge kind="neutral">Resolved</Badge>}
    {status === 'diagnosing' && (
      <Badge kind="warn" hollow>
        Diagnosing
      </Badge>
    )}
    {status === 'failed' && <Badge kind="warn">Not diagnosed</Badge>}
    {verdict === 'confirmed' && <Badge kind="good">Confirmed</Badge>}
    {verdict === 'rejected' && <Badge kind="warn">Marked wrong</Badge>}
    {verdictBy !== null && <span class="small quiet">by {toActorName(verdictBy)}</span>}
    {diagnosisOf !== null && (
      <a href={`/incidents/${diagnosisOf}`}>
        <Badge hollow>Part of a storm</Badge>
      </a>
    )}
    {isPosted && <Badge hollow>Note posted</Badge>}
  </>
)

/** Closes an incident whose pager did not. */
export const ResolveForm = ({ incident: { id, resolvedAt } }: { readonly incident: Incident }) =>
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
