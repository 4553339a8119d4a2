import type { Delivery, Door, Signals } from './door.ts'
import { CONFIDENCE, ignore, judgeEnvironment, oneEvent, toRevisionEnd, toService, toTitle, USUAL } from './mapping.ts'
import { at, nameAt, textAt, toInstant, toName } from './reading.ts'

const KINDS = new Set(['Kustomization', 'HelmRelease'])
const REASON = /^(Reconciliation|Upgrade|Install|Rollback|Uninstall)(Succeeded|Failed)$/
const FAILURES = new Set(['HealthCheckFailed', 'BuildFailed', 'ValidationFailed', 'ArtifactFailed'])
const SUCCESSES: ReadonlyMap<string | undefined, string> = new Map([
  ['Rollback', 'rolled_back'],
  ['Uninstall', 'removed'],
])

function read({ body, settings }: Delivery): Signals {
  const object = at(body, 'involvedObject')
  const [kind, name, namespace] = [nameAt(object, 'kind'), nameAt(object, 'name'), nameAt(object, 'namespace')]
  if (kind === undefined || !KINDS.has(kind)) return ignore(`kind ${kind ?? 'missing'}`)
  const reason = textAt(body, 'reason')
  const outcome = readOutcome(reason)
  if (outcome === undefined) return ignore(`reason ${reason ?? 'missing'}`)
  const service = toService(settings, [`${namespace}/${name}`, name], name)
  if (name === undefined || service === undefined) return ignore('an object without a name')
  const metadata = at(body, 'metadata')
  const environment = judgeEnvironment(settings, at(metadata, 'environment') ?? at(metadata, 'env'))
  return oneEvent({
    service,
    vendor: 'flux',
    entity: name,
    type: 'deploy',
    new: outcome,
    sha: toRevisionEnd(readRevision(metadata)),
    confidence: CONFIDENCE.stated,
    at: toInstant(at(body, 'timestamp')),
    environment,
    details: toTitle(textAt(body, 'message')),
  })
}

function readOutcome(reason = ''): string | undefined {
  if (FAILURES.has(reason)) return 'failed'
  const [, work, outcome] = REASON.exec(reason) ?? []
  if (outcome === undefined) return undefined
  return outcome === 'Failed' ? 'failed' : (SUCCESSES.get(work) ?? 'succeeded')
}

/** The revision that a controller wrote under its own group: `kustomize.toolkit.fluxcd.io/revision`. */
function readRevision(metadata: unknown): string | undefined {
  if (typeof metadata !== 'object' || metadata === null) return undefined
  const found = Object.entries(metadata).find(([name]) => name === 'revision' || name.endsWith('/revision'))
  return toName(found?.[1])
}

export const flux: Door = {
  title: 'Flux',
  brings: 'deploys',
  signatures: [{ kind: 'prefixed', header: 'X-Signature' }],
  ...USUAL,
  config: ['service', 'service_map', 'environments', 'webhook_secret'],
  read,
  example: {
    headers: { 'Gotk-Component': 'kustomize-controller' },
    body: {
      involvedObject: { apiVersion: 'kustomize.toolkit.fluxcd.io/v1', kind: 'Kustomization', name: 'checkout', namespace: 'shop' },
      metadata: { 'kustomize.toolkit.fluxcd.io/revision': 'main@sha1:3f9c1d2ab4e5f60718293a4b5c6d7e8f90a1b2c3' },
      severity: 'info',
      reason: 'ReconciliationSucceeded',
      message: 'Reconciliation finished in 2.4s, next run in 10m0s',
      reportingController: 'kustomize-controller',
      reportingInstance: 'kustomize-controller-6c8f9d7b5-q4w8z',
      timestamp: '2026-03-02T09:12:08Z',
    },
  },
  setup: `    apiVersion: v1
    kind: Secret
    metadata: {name: noctuary, namespace: flux-system}
    stringData:
      headers: |
        Authorization: Bearer {{token}}
    ---
    apiVersion: notification.toolkit.fluxcd.io/v1beta3
    kind: Provider
    metadata: {name: noctuary, namespace: flux-system}
    spec:
      type: generic
      address: {{url}}
      secretRef: {name: noctuary}
    ---
    apiVersion: notification.toolkit.fluxcd.io/v1beta3
    kind: Alert
    metadata: {name: noctuary, namespace: flux-system}
    spec:
      providerRef: {name: noctuary}
      eventSeverity: info
      eventSources:
        - {kind: Kustomization, name: "*"}
        - {kind: HelmRelease, name: "*"}

With \`type: generic-hmac\` the secret's \`token\` is the integration's \`webhook_secret\`.`,
}
