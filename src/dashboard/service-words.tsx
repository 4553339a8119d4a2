import type { Child } from 'hono/jsx'
import { matchServices } from '../domain/event/service-name.ts'
import type { ServiceHealth } from '../domain/window/service-health.ts'
import { count } from './labels.ts'
import { Badge } from './parts.tsx'

/** How a service is, by sign and word. */
export const HealthBadge = ({ health }: { readonly health: ServiceHealth }) => HEALTH_BADGES[health]

const HEALTH_BADGES: Readonly<Record<ServiceHealth, Child>> = {
  alerting: <Badge kind="bad">Alerting</Badge>,
  failing: <Badge kind="bad">Failing</Badge>,
  recovering: (
    <Badge kind="good" sign="up">
      Recovering
    </Badge>
  ),
  silent: <Badge kind="warn">Silent for over an hour</Badge>,
  well: <Badge sign="check">Well</Badge>,
  unheard: <Badge hollow>No events yet</Badge>,
}

/** What parts of a service are, by their names: `3 pods, 1 autoscaler`. */
export function describeParts(names: readonly string[]): string {
  const rules = names.map((name) => matchServices({ serviceName: '', vendor: 'kubernetes', entity: name }).at(-1)?.rule)
  const pods = rules.filter((rule) => rule === 'pod').length
  const autoscalers = rules.filter((rule) => rule === 'autoscaler').length
  const others = names.length - pods - autoscalers
  return [
    pods > 0 && count(pods, 'pod'),
    autoscalers > 0 && count(autoscalers, 'autoscaler'),
    others > 0 && count(others, pods + autoscalers > 0 ? 'other part' : 'part'),
  ]
    .filter(Boolean)
    .join(', ')
}
