import type { EventDetails } from '../event/event.ts'
import { postByArgo } from './argo-notifications.ts'
import type { Delivery, Door, Signals } from './door.ts'
import {
  CHANGE_TTL_SECONDS,
  CONFIDENCE,
  ignore,
  judgeEnvironment,
  oneEvent,
  SYMPTOM_TTL_SECONDS,
  toDeployValues,
  toService,
  toTitle,
  USUAL,
} from './mapping.ts'
import { at, listAt, nameAt, textAt, toInstant, toName } from './reading.ts'

function read({ body, settings }: Delivery): Signals {
  const [app, namespace] = [nameAt(body, 'app'), nameAt(body, 'namespace')]
  const service = toService(settings, [app, `${namespace}/${app}`], app)
  if (app === undefined || service === undefined) return ignore('custom template: no app')
  const values = readValues(body)
  if (!values) return ignore(`phase ${textAt(body, 'phase') ?? 'missing'}`)
  const environment = judgeEnvironment(settings, at(body, 'environment'))
  return oneEvent({
    service,
    vendor: 'argocd',
    entity: app,
    type: 'deploy',
    ...values,
    confidence: CONFIDENCE.stated,
    environment,
    url: at(body, 'url'),
  })
}

type Values = {
  readonly old?: string | undefined
  readonly new: string
  readonly sha?: string | undefined
  readonly ttlSeconds: number
  readonly at: string | undefined
  readonly actor?: unknown
  readonly details?: EventDetails | undefined
}

/** What the application does, in the words of the Argo CD agent, so that both tell one life. */
function readValues(body: unknown): Values | undefined {
  const [phase, revision] = [textAt(body, 'phase'), nameAt(body, 'revision') ?? ofSources(body)]
  const finishedAt = toInstant(at(body, 'finishedAt')) ?? toInstant(at(body, 'startedAt'))
  // Whoever synced is not whom the health is due to.
  const change = { ttlSeconds: CHANGE_TTL_SECONDS, at: finishedAt, actor: at(body, 'by'), details: toTitle(textAt(body, 'message')) }
  if (phase === 'Running') return { ...change, new: `syncing:${revision ?? ''}`, sha: revision, at: toInstant(at(body, 'startedAt')) }
  if (phase === 'Failed' || phase === 'Error') return { ...change, new: 'failed', sha: revision }
  if (at(body, 'health') === 'Degraded') {
    return { new: 'health:Degraded', ttlSeconds: SYMPTOM_TTL_SECONDS, at: toInstant(at(body, 'healthAt')) ?? finishedAt }
  }
  return phase === 'Succeeded' ? { ...change, ...toDeployValues('succeeded', nameAt(body, 'previous'), revision) } : undefined
}

const COMMIT = /^[0-9a-f]{40}$/

/** The revision of an application of several sources: a commit, if there is one beside the versions of charts. */
function ofSources(body: unknown): string | undefined {
  const revisions = listAt(body, 'revisions').flatMap((one) => toName(one) ?? [])
  return revisions.find((one) => COMMIT.test(one)) ?? revisions[0]
}

export const argocd: Door = {
  title: 'Argo CD',
  brings: 'deploys',
  ...USUAL,
  config: ['service', 'service_map', 'environments'],
  read,
  example: {
    body: {
      app: 'checkout',
      namespace: 'shop',
      phase: 'Succeeded',
      health: 'Healthy',
      revision: '3f9c1d2ab4e5f60718293a4b5c6d7e8f90a1b2c3',
      images: ['registry.example.com/checkout:1.8.2'],
      by: 'mira',
      automated: false,
      startedAt: '2026-03-02T09:11:10Z',
      finishedAt: '2026-03-02T09:12:08Z',
      message: 'successfully synced (all tasks run)',
    },
  },
  setup: `In the config map \`argocd-notifications-cm\`, with the triggers of Argo CD's catalog:

${postByArgo('{"app":{{toJson .app.metadata.name}},"namespace":{{toJson .app.spec.destination.namespace}},"phase":{{toJson .app.status.operationState.phase}},"health":{{toJson .app.status.health.status}},"healthAt":{{toJson .app.status.health.lastTransitionTime}},"revision":{{toJson .app.status.operationState.syncResult.revision}},"revisions":{{toJson .app.status.operationState.syncResult.revisions}},"startedAt":{{toJson .app.status.operationState.startedAt}},"finishedAt":{{toJson .app.status.operationState.finishedAt}},"by":{{toJson .app.status.operationState.operation.initiatedBy.username}},"automated":{{toJson .app.status.operationState.operation.initiatedBy.automated}},"message":{{toJson .app.status.operationState.message}},"images":{{toJson .app.status.summary.images}}}')}

and add \`noctuary\` to the \`send\` of \`on-deployed\`, \`on-sync-running\`, \`on-sync-failed\` and \`on-health-degraded\`, then subscribe: \`notifications.argoproj.io/subscribe.on-deployed.noctuary: ""\`, and so on.`,
}
