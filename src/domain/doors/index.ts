import type { DoorType } from '../integration-type.ts'
import { alertmanager } from './alertmanager.ts'
import { argoRollouts } from './argo-rollouts.ts'
import { argocd } from './argocd.ts'
import { betterstack } from './betterstack.ts'
import { cloudevents } from './cloudevents.ts'
import { datadog } from './datadog.ts'
import { deploy } from './deploy.ts'
import type { Door } from './door.ts'
import { firehydrant } from './firehydrant.ts'
import { flux } from './flux.ts'
import { github } from './github.ts'
import { gitlab } from './gitlab.ts'
import { grafana } from './grafana.ts'
import { incidentio } from './incidentio.ts'
import { kubernetesEventExporter } from './kubernetes-event-exporter.ts'
import { kubewatch } from './kubewatch.ts'
import { launchdarkly } from './launchdarkly.ts'
import { otlp } from './otlp.ts'
import { pagerduty } from './pagerduty.ts'
import { pagerdutyEvents } from './pagerduty-events.ts'
import { robusta } from './robusta.ts'
import { rootly } from './rootly.ts'
import { sentry } from './sentry.ts'
import { unleash } from './unleash.ts'

/** Every sender's door, by the name in its path, in the order the page shows. */
export const DOORS: Readonly<Record<DoorType, Door>> = {
  deploy,
  alertmanager,
  grafana,
  otlp,
  github,
  gitlab,
  argocd,
  'argo-rollouts': argoRollouts,
  flux,
  'pagerduty-events': pagerdutyEvents,
  pagerduty,
  launchdarkly,
  unleash,
  cloudevents,
  'kubernetes-event-exporter': kubernetesEventExporter,
  kubewatch,
  robusta,
  datadog,
  sentry,
  incidentio,
  rootly,
  firehydrant,
  betterstack,
}
