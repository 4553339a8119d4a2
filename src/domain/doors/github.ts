import type { EventDetails } from '../event/event.ts'
import type { Delivery, Door, Signals } from './door.ts'
import { CONFIDENCE, ignore, judgeEnvironment, oneEvent, present, toDeployValues, toService, toTitle } from './mapping.ts'
import { at, listAt, nameAt, textAt, toDetailItems, toInstant } from './reading.ts'

const STATES: ReadonlyMap<string | undefined, string> = new Map([
  ['success', 'succeeded'],
  ['failure', 'failed'],
  ['error', 'failed'],
  ['in_progress', 'started'],
])
const CONCLUSIONS: ReadonlyMap<string | undefined, string> = new Map([
  ['success', 'succeeded'],
  ['failure', 'failed'],
  ['timed_out', 'failed'],
  ['startup_failure', 'failed'],
])
const DEPLOYING = /deploy|release|publish/i
/** Where a workflow goes, if its name says that that is not production. */
const ELSEWHERE = /\b(staging|stg|preview|development|uat|sandbox)\b|\bto (?:the )?(dev|test|qa|stage)\b/i
const TO_PRODUCTION = /\b(?:prod|production|prd|live)\b/i
const ZEROS = /^0+$/
const SHORT_SHA = 12

type Reader = (delivery: Delivery, service: string, repository: string) => Signals

const READERS: ReadonlyMap<string | undefined, Reader> = new Map<string, Reader>([
  ['deployment_status', readDeploymentStatus],
  ['workflow_run', readWorkflowRun],
  ['release', readRelease],
  ['push', readPush],
])

function read(delivery: Delivery): Signals {
  const { body, header, settings } = delivery
  const event = header('x-github-event')
  const reader = READERS.get(event)
  if (!reader) return ignore(event === undefined ? 'no X-GitHub-Event' : `event ${event}`)
  const repository = nameAt(body, 'repository', 'full_name')
  const service = toService(settings, [repository], repository)
  if (repository === undefined || service === undefined) return ignore('no repository')
  const signals = reader(delivery, service, repository)
  const deliveryId = header('x-github-delivery')
  const isTimed = signals.events.every(({ timestamp }) => timestamp !== undefined)
  return isTimed || deliveryId === undefined ? signals : { ...signals, idempotencyKey: deliveryId }
}

function readDeploymentStatus({ body, settings }: Delivery, service: string, repository: string): Signals {
  const [status, deployment] = [at(body, 'deployment_status'), at(body, 'deployment')]
  const state = textAt(status, 'state')
  const outcome = STATES.get(state)
  if (outcome === undefined) return ignore(`state ${state ?? 'missing'}`)
  const isProduction = at(deployment, 'production_environment') === true ? true : undefined
  const name = at(deployment, 'environment') ?? at(status, 'environment')
  const environment = judgeEnvironment(settings, name, isProduction)
  return oneEvent({
    service,
    vendor: 'github',
    entity: repository,
    type: 'deploy',
    ...toDeployValues(outcome, undefined, nameAt(deployment, 'sha')),
    actor: at(deployment, 'creator', 'login'),
    confidence: CONFIDENCE.stated,
    at: toInstant(at(status, 'updated_at')) ?? toInstant(at(status, 'created_at')),
    environment,
    url: at(status, 'log_url') || at(status, 'target_url') || at(body, 'repository', 'html_url'),
    details: toTitle(textAt(deployment, 'description')),
  })
}

function readWorkflowRun({ body, settings }: Delivery, service: string, repository: string): Signals {
  const run = at(body, 'workflow_run')
  if (at(body, 'action') !== 'completed') return ignore('workflow not completed')
  const name = textAt(run, 'name') ?? textAt(body, 'workflow', 'name')
  if (name === undefined || !DEPLOYING.test(name)) return ignore(`workflow ${name ?? 'without a name'}`)
  const conclusion = textAt(run, 'conclusion')
  const outcome = CONCLUSIONS.get(conclusion)
  if (outcome === undefined) return ignore(`workflow ${conclusion ?? 'without a conclusion'}`)
  const [, ...elsewhere] = (TO_PRODUCTION.test(name) ? undefined : ELSEWHERE.exec(name)) ?? []
  return oneEvent({
    service,
    vendor: 'github',
    entity: repository,
    type: 'deploy',
    new: outcome,
    environment: judgeEnvironment(
      settings,
      elsewhere.find((one) => one !== undefined),
    ),
    sha: at(run, 'head_sha'),
    actor: at(run, 'actor', 'login'),
    confidence: CONFIDENCE.workflow,
    at: toInstant(at(run, 'updated_at')),
    url: at(run, 'html_url'),
    details: toTitle(textAt(run, 'display_title')),
  })
}

function readRelease({ body }: Delivery, service: string, repository: string): Signals {
  const release = at(body, 'release')
  const tag = textAt(release, 'tag_name')
  // GitHub sends created, published and released for one release.
  if (at(body, 'action') !== 'released') return ignore(`release ${textAt(body, 'action') ?? 'without an action'}`)
  if (tag === undefined) return ignore('release without a tag')
  return oneEvent({
    service,
    vendor: 'github',
    entity: repository,
    type: 'deploy',
    new: `released:${tag}`,
    actor: at(release, 'author', 'login'),
    confidence: CONFIDENCE.release,
    at: toInstant(at(release, 'published_at')),
    url: at(release, 'html_url'),
    details: toTitle(textAt(release, 'name')),
  })
}

function readPush({ body, settings }: Delivery, service: string, repository: string): Signals {
  if (!settings.push) return ignore('pushes are off: set push')
  const [before, after] = [textAt(body, 'before'), textAt(body, 'after')]
  const branch = textAt(body, 'repository', 'default_branch')
  if (branch === undefined || at(body, 'ref') !== `refs/heads/${branch}`) return ignore('push to another branch or a tag')
  if (at(body, 'deleted') === true || after === undefined || ZEROS.test(after)) return ignore('branch deleted')
  const pushedAt = at(body, 'repository', 'pushed_at')
  return oneEvent({
    service,
    vendor: 'github',
    entity: repository,
    type: 'config_change',
    old: before === undefined || ZEROS.test(before) ? undefined : before.slice(0, SHORT_SHA),
    new: after.slice(0, SHORT_SHA),
    sha: after,
    actor: at(body, 'sender', 'login') ?? at(body, 'pusher', 'name'),
    confidence: CONFIDENCE.push,
    // Not the commit's own time, which may be days before.
    at: toInstant(typeof pushedAt === 'number' ? pushedAt * 1_000 : pushedAt),
    url: at(body, 'compare'),
    details: toPushDetails(body),
  })
}

function toPushDetails(body: unknown): EventDetails | undefined {
  const commits = listAt(body, 'commits').slice(0, 20)
  const files = new Set(commits.flatMap((commit) => ['added', 'modified', 'removed'].flatMap((kind) => listAt(commit, kind).slice(0, 20))))
  return { ...toTitle(textAt(body, 'head_commit', 'message')), ...present({ files: toDetailItems([...files]) }) }
}

export const github: Door = {
  title: 'GitHub',
  brings: 'deploys',
  signatures: [{ kind: 'prefixed', header: 'X-Hub-Signature-256' }],
  mediaTypes: ['json', 'form'],
  maxBytes: 1_048_576,
  whenBusy: 429,
  config: ['service', 'service_map', 'environments', 'push', 'webhook_secret'],
  read,
  example: {
    headers: { 'X-GitHub-Event': 'deployment_status', 'X-GitHub-Delivery': '5b2f6c1e-0000-11f1-8000-6d4e2c1b0a99' },
    body: {
      action: 'created',
      deployment_status: {
        id: 42,
        state: 'success',
        environment: 'production',
        target_url: 'https://github.com/acme/checkout/actions/runs/9001',
        created_at: '2026-03-02T09:12:08Z',
        updated_at: '2026-03-02T09:12:08Z',
      },
      deployment: {
        id: 41,
        sha: '3f9c1d2ab4e5f60718293a4b5c6d7e8f90a1b2c3',
        ref: 'main',
        task: 'deploy',
        environment: 'production',
        description: 'Faster totals',
        creator: { login: 'mira' },
      },
      repository: {
        id: 7,
        name: 'checkout',
        full_name: 'acme/checkout',
        html_url: 'https://github.com/acme/checkout',
        default_branch: 'main',
      },
      sender: { login: 'mira' },
    },
  },
  setup: `Repository or organisation → Settings → Webhooks → Add webhook:

- Payload URL {{url}}
- Content type \`application/json\`
- Secret: one that you make up, of 16 characters at least; it is the integration's \`webhook_secret\`
- *Let me select individual events*: Deployment statuses, Workflow runs, Releases; Pushes only with \`push\` on

A deployment to an environment called production counts as it says; a completed workflow whose name has *deploy*, *release* or *publish* in it counts for less, unless it names a place like *staging* or *preview*.`,
}
