import type { Delivery, Door, Signals } from './door.ts'
import { CONFIDENCE, ignore, judgeEnvironment, oneEvent, toDeployValues, toService, toTitle, USUAL } from './mapping.ts'
import { at, nameAt, textAt, toInstant } from './reading.ts'

const STATUSES: ReadonlyMap<string | undefined, string> = new Map([
  ['success', 'succeeded'],
  ['failed', 'failed'],
  ['running', 'started'],
])
const COMMIT_URL = /\/commit\/([0-9a-f]{7,64})(?:[?#].*)?$/i

function read({ body, header, settings }: Delivery): Signals {
  const kind = textAt(body, 'object_kind')
  const project = nameAt(body, 'project', 'path_with_namespace')
  const flag = kind === 'feature_flag' ? nameAt(body, 'object_attributes', 'name') : undefined
  const service = toService(settings, [flag, project], project)
  if (project === undefined || service === undefined) return ignore('no project')
  const signals = readKind(kind, { body, settings, service, project, flag })
  // The one that a signature covers goes first.
  const deliveryId = header('webhook-id') ?? header('idempotency-key') ?? header('x-gitlab-event-uuid')
  const isTimed = signals.events.every(({ timestamp }) => timestamp !== undefined)
  return isTimed || deliveryId === undefined ? signals : { ...signals, idempotencyKey: deliveryId }
}

type HookFacts = Pick<Delivery, 'body' | 'settings'> & {
  readonly service: string
  readonly project: string
  readonly flag: string | undefined
}

function readKind(kind: string | undefined, facts: HookFacts): Signals {
  if (kind === 'deployment') return readDeployment(facts)
  if (kind === 'feature_flag') return readFlag(facts)
  return kind === 'release' ? readRelease(facts) : ignore(`object_kind ${kind ?? 'missing'}`)
}

function readDeployment({ body, settings, service, project }: HookFacts): Signals {
  const status = textAt(body, 'status')
  const outcome = STATUSES.get(status)
  if (outcome === undefined) return ignore(`deployment ${status ?? 'without a status'}`)
  const tier = textAt(body, 'environment_tier')
  const environment = judgeEnvironment(settings, at(body, 'environment'), tier === undefined ? undefined : tier === 'production')
  const sha = COMMIT_URL.exec(textAt(body, 'commit_url') ?? '')?.[1] ?? nameAt(body, 'short_sha')
  return oneEvent({
    service,
    vendor: 'gitlab',
    entity: project,
    type: 'deploy',
    ...toDeployValues(outcome, undefined, sha),
    actor: at(body, 'user', 'username') ?? at(body, 'user', 'email'),
    confidence: CONFIDENCE.stated,
    at: toInstant(at(body, 'status_changed_at')),
    environment,
    url: at(body, 'deployable_url'),
    details: toTitle(textAt(body, 'commit_title')),
  })
}

function readFlag({ body, service, project, flag }: HookFacts): Signals {
  const active = at(body, 'object_attributes', 'active')
  if (flag === undefined || typeof active !== 'boolean') return ignore('feature flag without a name or state')
  return oneEvent({
    service,
    vendor: 'gitlab',
    entity: flag,
    type: 'flag_change',
    new: active ? 'on' : 'off',
    actor: at(body, 'user', 'username'),
    confidence: CONFIDENCE.stated,
    url: at(body, 'project', 'web_url'),
    details: toTitle(textAt(body, 'object_attributes', 'description') ?? project),
  })
}

function readRelease({ body, service, project }: HookFacts): Signals {
  const [action, tag] = [textAt(body, 'action'), textAt(body, 'tag')]
  if (action !== 'create' || tag === undefined) return ignore(`release ${action ?? 'without an action'}`)
  return oneEvent({
    service,
    vendor: 'gitlab',
    entity: project,
    type: 'deploy',
    new: `released:${tag}`,
    sha: at(body, 'commit', 'id'),
    confidence: CONFIDENCE.release,
    at: toInstant(at(body, 'released_at')) ?? toInstant(at(body, 'created_at')),
    url: at(body, 'url'),
    details: toTitle(textAt(body, 'name')),
  })
}

export const gitlab: Door = {
  title: 'GitLab',
  brings: 'deploys',
  signatures: [{ kind: 'token', header: 'X-Gitlab-Token' }, { kind: 'standard' }],
  ...USUAL,
  config: ['service', 'service_map', 'environments', 'webhook_secret'],
  read,
  example: {
    headers: { 'X-Gitlab-Event': 'Deployment Hook', 'Idempotency-Key': '6a1c0000-4b2d-4f00-9000-0c2e4a6b8d10' },
    body: {
      object_kind: 'deployment',
      status: 'success',
      status_changed_at: '2026-03-02 10:12:08 +0100',
      deployment_id: 815,
      deployable_url: 'https://gitlab.example.com/acme/checkout/-/jobs/4711',
      environment: 'production',
      environment_tier: 'production',
      project: { id: 7, name: 'checkout', path_with_namespace: 'acme/checkout', web_url: 'https://gitlab.example.com/acme/checkout' },
      short_sha: '3f9c1d2a',
      commit_url: 'https://gitlab.example.com/acme/checkout/-/commit/3f9c1d2ab4e5f60718293a4b5c6d7e8f90a1b2c3',
      commit_title: 'Faster totals',
      user: { id: 3, name: 'Mira', username: 'mira' },
    },
  },
  setup: `Project or group → Settings → Webhooks → Add new webhook:

- URL {{url}}
- Secret token: one that you make up, of 16 characters at least; it is the integration's \`webhook_secret\`
- Trigger: Deployment events, Feature flag events, Releases events`,
}
