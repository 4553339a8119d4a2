import { postByArgo } from './argo-notifications.ts'
import type { Delivery, Door, Signals } from './door.ts'
import { CONFIDENCE, ignore, judgeEnvironment, oneEvent, toService, toTitle, USUAL } from './mapping.ts'
import { at, nameAt, textAt, toInstant } from './reading.ts'

const PHASES: ReadonlyMap<string | undefined, string> = new Map([
  ['Healthy', 'succeeded'],
  ['Progressing', 'started'],
  ['Degraded', 'failed'],
])

function read({ body, settings }: Delivery): Signals {
  const [rollout, namespace, phase] = [nameAt(body, 'rollout'), nameAt(body, 'namespace'), textAt(body, 'phase')]
  const service = toService(settings, [rollout, `${namespace}/${rollout}`], rollout)
  if (rollout === undefined || service === undefined) return ignore('custom template: no rollout')
  // An aborted rollout goes back to the stable version by itself.
  const outcome = at(body, 'aborted') === true ? 'rolled_back' : PHASES.get(phase)
  if (outcome === undefined) return ignore(`phase ${phase ?? 'missing'}`)
  const environment = judgeEnvironment(settings, at(body, 'environment'))
  return oneEvent({
    service,
    vendor: 'argo-rollouts',
    entity: rollout,
    type: 'deploy',
    new: outcome,
    sha: at(body, 'revision'),
    confidence: CONFIDENCE.stated,
    at: toInstant(at(body, 'at')),
    environment,
    url: at(body, 'url'),
    details: toTitle(textAt(body, 'message')),
  })
}

export const argoRollouts: Door = {
  title: 'Argo Rollouts',
  brings: 'deploys',
  ...USUAL,
  config: ['service', 'service_map', 'environments'],
  read,
  example: {
    body: {
      rollout: 'checkout',
      namespace: 'shop',
      phase: 'Degraded',
      reason: 'RolloutAborted',
      message: 'RolloutAborted: metric "error-rate" assessed Failed',
      revision: '31',
      images: ['registry.example.com/checkout:1.8.2'],
      aborted: true,
      at: '2026-03-02T09:13:40Z',
    },
  },
  setup: `In the config map \`argo-rollouts-notification-configmap\`:

${postByArgo('{"rollout":{{toJson .rollout.metadata.name}},"namespace":{{toJson .rollout.metadata.namespace}},"phase":{{toJson .rollout.status.phase}},"message":{{toJson .rollout.status.message}},"revision":{{toJson (index .rollout.metadata.annotations "rollout.argoproj.io/revision")}},"aborted":{{toJson .rollout.status.abort}},"at":{{toJson now}}}')}

and add \`noctuary\` to the \`send\` of \`on-rollout-completed\`, \`on-rollout-aborted\` and \`on-rollout-updated\`.`,
}
