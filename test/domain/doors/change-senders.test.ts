import { expect, test } from 'vitest'
import { DOORS } from '../../../src/domain/doors/index.ts'
import { type DeliverOptions, deliver } from '../../support/deliver.ts'
import { alert, event, type Fields, ignored, invalid, testDoor } from '../../support/door-cases.ts'

const SHA = '3f9c1d2ab4e5f60718293a4b5c6d7e8f90a1b2c3'
const github = (name: string): DeliverOptions => ({ headers: { 'X-GitHub-Event': name, 'X-GitHub-Delivery': 'd-1' } })
const push = { ...github('push'), settings: { push: true } }
const repository = { full_name: 'acme/checkout', default_branch: 'main', pushed_at: 1_772_442_728 }
const PUSH = {
  ref: 'refs/heads/main',
  before: '1'.repeat(40),
  after: SHA,
  sender: { login: 'mira' },
  repository,
  head_commit: { message: 'Faster totals\n\nlonger text' },
  commits: [{ added: ['a.ts'], modified: ['b.ts'], removed: [] }],
}
const RUN = {
  action: 'completed',
  workflow_run: { name: 'Deploy', conclusion: 'success', head_sha: SHA, actor: { login: 'mira' }, updated_at: '2026-03-02T09:12:08Z' },
  repository,
}
const RELEASE = {
  action: 'released',
  release: { tag_name: 'v1.8.2', author: { login: 'mira' }, published_at: '2026-03-02T09:12:08Z' },
  repository,
}
const cd = (type: string, more: Fields = {}) => ({ type: `dev.cdevents.${type}.0.3.0`, ...more })
const INCIDENT = {
  context: { source: '/watch/shop', timestamp: '2026-03-02T09:14:31Z' },
  subject: { id: 'inc-7', content: { description: 'Slow', service: { id: 'checkout' }, environment: { id: 'production' } } },
}

testDoor('deploy', DOORS.deploy, [
  [
    'the least',
    { previous_sha: undefined, environment: undefined, by: undefined },
    event({ service_name: 'checkout', sha: '3f9c1d2ab4e5', new_value: 'succeeded', confidence: 0.95, ttl_seconds: 7200 }),
  ],
  ['both revisions', {}, event({ old_value: '8b7a6c5d4e3f', new_value: '3f9c1d2ab4e5', actor: 'mira', environment: 'production' })],
  ['a failure keeps its word', { status: 'failed' }, event({ new_value: 'failed', sha: '3f9c1d2ab4e5' })],
  ['staging', { environment: 'staging' }, ignored('environment staging')],
  ['staging, let in', { environment: 'staging' }, event({ environment: 'staging' }), { settings: { environments: ['Staging'] } }],
  ['production, no longer let in', {}, ignored('environment production'), { settings: { environments: ['staging'] } }],
  [
    'production by another name than the one that is let in',
    { environment: 'prod-eu' },
    event({ environment: 'production' }),
    { settings: { environments: ['production', 'staging'] } },
  ],
  ['a spelling of production', { environment: 'PRD eu' }, event({ environment: 'production' })],
  ['a mapped name', {}, event({ service_name: 'cart', entity: 'checkout' }), { settings: { serviceMap: { checkout: 'cart' } } }],
  ['no service', { service: ' ' }, invalid('service is required')],
  ['no sha', { sha: undefined }, invalid('sha is required')],
  ['a pipeline that was cancelled', { status: 'cancelled' }, ignored('status cancelled')],
  ['a time as date +%s tells it', { timestamp: '1772442728' }, event({ timestamp: '2026-03-02T09:12:08.000Z' })],
  ['a time in milliseconds', { timestamp: 1_772_442_728_000 }, event({ timestamp: '2026-03-02T09:12:08.000Z' })],
  ['a time as Python tells it', { timestamp: 1_772_442_728.41 }, event({ timestamp: '2026-03-02T09:12:08.410Z' })],
  ['a time as date +%s.%N tells it', { timestamp: '1772442728.410123456' }, event({ timestamp: '2026-03-02T09:12:08.410Z' })],
  ['no time', { timestamp: 'yesterday' }, invalid('timestamp must be ISO 8601, or seconds since 1970')],
  ['another status', { status: 'maybe' }, invalid('status must be succeeded, failed, started or rolled_back')],
])

testDoor('github', DOORS.github, [
  [
    'a failed deployment',
    { 'deployment_status.state': 'error' },
    event({ new_value: 'failed', sha: SHA, actor: 'mira', service_name: 'checkout', entity: 'acme/checkout' }),
  ],
  [
    'a mapped repository',
    {},
    event({ service_name: 'cart' }),
    { ...github('deployment_status'), settings: { serviceMap: { 'acme/checkout': 'cart' } } },
  ],
  ['a pending deployment', { 'deployment_status.state': 'pending' }, ignored('state pending')],
  ['a staging deployment', { 'deployment.environment': 'staging' }, ignored('environment staging')],
  [
    'one marked as production',
    { 'deployment.environment': 'eu-1', 'deployment.production_environment': true },
    event({ environment: 'production' }),
  ],
  [
    'one marked as production, where that and staging are let in',
    { 'deployment.environment': 'eu-1', 'deployment.production_environment': true },
    event({ environment: 'production' }),
    { ...github('deployment_status'), settings: { environments: ['Production', 'staging'] } },
  ],
  ['a ping', {}, ignored('event ping'), github('ping')],
  [
    'a workflow that deploys',
    RUN,
    event({ type: undefined, new_value: 'succeeded', confidence: 0.7, sha: SHA, actor: 'mira' }),
    github('workflow_run'),
  ],
  ['a workflow that does not', { ...RUN, 'workflow_run.name': 'test' }, ignored('workflow test'), github('workflow_run')],
  [
    'a workflow that deploys elsewhere, as its name says',
    { ...RUN, 'workflow_run.name': 'Deploy to staging' },
    ignored('environment staging'),
    github('workflow_run'),
  ],
  ['one of a preview', { ...RUN, 'workflow_run.name': 'Deploy Preview (PR)' }, ignored('environment Preview'), github('workflow_run')],
  ['one to a stage', { ...RUN, 'workflow_run.name': 'deploy to dev' }, ignored('environment dev'), github('workflow_run')],
  [
    'one to two places',
    { ...RUN, 'workflow_run.name': 'Deploy staging, then production' },
    event({ new_value: 'succeeded', environment: undefined }),
    github('workflow_run'),
  ],
  [
    'one elsewhere, let in',
    { ...RUN, 'workflow_run.name': 'Release (staging)' },
    event({ environment: 'staging' }),
    { ...github('workflow_run'), settings: { environments: ['staging'] } },
  ],
  ['one that tests before', { ...RUN, 'workflow_run.name': 'Test and deploy' }, event({ new_value: 'succeeded' }), github('workflow_run')],
  [
    'a workflow that was cancelled',
    { ...RUN, 'workflow_run.conclusion': 'cancelled' },
    ignored('workflow cancelled'),
    github('workflow_run'),
  ],
  ['a release', RELEASE, event({ new_value: 'released:v1.8.2', confidence: 0.6, actor: 'mira' }), github('release')],
  ['a release told before', { ...RELEASE, action: 'published' }, ignored('release published'), github('release')],
  ['a push', PUSH, ignored('pushes are off: set push'), github('push')],
  [
    'a push that counts',
    PUSH,
    event({
      event_type: 'config_change',
      old_value: '111111111111',
      new_value: SHA.slice(0, 12),
      sha: SHA,
      confidence: 0.4,
      timestamp: '2026-03-02T09:12:08.000Z',
      details: { title: 'Faster totals', files: ['a.ts', 'b.ts'] },
    }),
    push,
  ],
  ['a push of a new branch', { ...PUSH, before: '0'.repeat(40) }, event({ old_value: undefined }), push],
  ['a push elsewhere', { ...PUSH, ref: 'refs/heads/x' }, ignored('push to another branch or a tag'), push],
])

testDoor('gitlab', DOORS.gitlab, [
  [
    'a deployment',
    {},
    event({ service_name: 'checkout', sha: SHA, new_value: 'succeeded', actor: 'mira', timestamp: '2026-03-02T09:12:08.000000Z' }),
  ],
  ['one without its commit', { commit_url: undefined }, event({ sha: '3f9c1d2a' })],
  ['the tier decides', { environment_tier: 'staging' }, ignored('environment production, which is marked as another')],
  ['a cancelled one', { status: 'canceled' }, ignored('deployment canceled')],
  [
    'a flag',
    { object_kind: 'feature_flag', object_attributes: { name: 'express', active: false } },
    event({ event_type: 'flag_change', entity: 'express', new_value: 'off', service_name: 'checkout' }),
  ],
  [
    'a mapped flag',
    { object_kind: 'feature_flag', object_attributes: { name: 'express', active: true } },
    event({ service_name: 'cart' }),
    { settings: { serviceMap: { express: 'cart' } } },
  ],
  [
    'a release',
    { object_kind: 'release', action: 'create', tag: 'v2', commit: { id: SHA }, released_at: '2026-03-02 09:12:08 UTC' },
    event({ new_value: 'released:v2', sha: SHA }),
  ],
  ['a pipeline', { object_kind: 'pipeline' }, ignored('object_kind pipeline')],
])

testDoor('launchdarkly', DOORS.launchdarkly, [
  [
    'turned on',
    {},
    event({
      service_name: 'launchdarkly',
      entity: 'express-checkout',
      old_value: 'off',
      new_value: 'on',
      actor: 'mira@example.com',
      timestamp: '2026-03-02T09:12:08.000Z',
    }),
  ],
  [
    'turned off, by its title',
    { previousVersion: undefined, titleVerb: 'turned off the flag' },
    event({ old_value: 'on', new_value: 'off' }),
  ],
  [
    'other work',
    { previousVersion: undefined, titleVerb: 'updated the rules of' },
    event({ old_value: undefined, new_value: 'updated the rules of' }),
  ],
  [
    'what no member did, but a token',
    { member: undefined, token: { _id: '1', name: 'terraform', ending: 'a1b2' } },
    event({ actor: 'terraform' }),
  ],
  ['what an integration did', { member: null, app: { _id: '1', name: 'Jira' } }, event({ actor: 'Jira' })],
  [
    'a title whose names are links',
    { title: '[Mira](mailto:mira@example.com) turned on the flag [Express checkout](https://app.launchdarkly.com/x) in `Production`' },
    event({ details: { title: 'Mira turned on the flag Express checkout in `Production`' } }),
  ],
  ['a mapped project', {}, event({ service_name: 'cart' }), { settings: { serviceMap: { shop: 'cart' } } }],
  ['a test environment', { 'accesses.0.resource': 'proj/shop:env/test:flag/express-checkout' }, ignored('environment test')],
  [
    'tags in the resource',
    { 'accesses.0.resource': 'proj/shop;a,b:env/production;c:flag/express-checkout;d' },
    event({ entity: 'express-checkout' }),
  ],
  [
    'a hundred tags in the resource',
    { 'accesses.0.resource': `proj/shop;${'label,'.repeat(100)}z:env/production:flag/express-checkout` },
    event({ entity: 'express-checkout' }),
  ],
  ['its name', { 'accesses.0.action': 'updateName' }, ignored("a flag's metadata: updateName")],
  ['no environment', { 'accesses.0.resource': 'proj/shop:flag/x' }, ignored('no environment in the resource')],
  ['an environment', { kind: 'environment' }, ignored('kind environment')],
  [
    'an entry about every environment',
    {
      previousVersion: undefined,
      titleVerb: 'created the flag',
      accesses: ['test', 'production'].map((name) => ({ action: 'createFlag', resource: `proj/shop:env/${name}:flag/express-checkout` })),
    },
    event({ new_value: 'created the flag', environment: 'production' }),
  ],
  [
    'turned off, by its title alone',
    { previousVersion: undefined, titleVerb: '', title: 'Mira turned off the flag Express checkout in `Production`' },
    event({ old_value: 'on', new_value: 'off' }),
  ],
])

testDoor('unleash', DOORS.unleash, [
  ['enabled', {}, event({ service_name: 'unleash', entity: 'express-checkout', old_value: 'off', new_value: 'on', actor: 'mira' })],
  [
    'a strategy',
    { type: 'feature-strategy-update', data: { parameters: { rollout: '50' } }, preData: { parameters: { rollout: '10' } } },
    event({ old_value: 'strategy:10%', new_value: 'strategy:50%' }),
  ],
  [
    'a strategy removed',
    { type: 'feature-strategy-remove', preData: { parameters: { rollout: '10' } } },
    event({ old_value: 'strategy:10%', new_value: 'strategy:removed' }),
  ],
  [
    'a strategy whose rollout stays',
    { type: 'feature-strategy-update', data: { parameters: { rollout: '10' } }, preData: { parameters: { rollout: '10' } } },
    event({ old_value: undefined, new_value: 'strategy:10%' }),
  ],
  [
    'variants',
    { type: 'feature-environment-variants-updated', data: { variants: [{ name: 'a' }] }, preData: { variants: [] } },
    event({ old_value: undefined, new_value: 'variants:changed' }),
  ],
  ['archived', { type: 'feature-archived', environment: null }, event({ new_value: 'archived', environment: undefined })],
  ['development', { environment: 'development' }, ignored('environment development')],
  ['a tag', { type: 'feature-tagged' }, ignored('type feature-tagged')],
])

testDoor('cloudevents', DOORS.cloudevents, [
  [
    'deployed',
    {},
    event({
      service_name: 'checkout',
      entity: 'checkout',
      sha: expect.stringMatching(/^sha256:9f2c/),
      new_value: expect.stringMatching(/^sha256:9f2c/),
    }),
  ],
  ['the announced type', { type: 'dev.cdevents.deployment.finished.0.1.0' }, event({ event_type: 'deploy' })],
  ['rolled back', cd('service.rolledback'), event({ new_value: 'rolled_back', sha: expect.stringMatching(/^sha256:/) })],
  ['removed', cd('service.removed', { 'data.subject.content.artifactId': undefined }), event({ new_value: 'removed', sha: undefined })],
  ['another environment', { 'data.subject.content.environment.id': 'test1' }, ignored('environment test1')],
  [
    'an incident',
    cd('incident.detected', { data: INCIDENT }),
    alert({ action: 'trigger', key: '/watch/shop/inc-7', service: 'checkout', title: 'Slow' }),
  ],
  ['an incident over', cd('incident.resolved', { data: INCIDENT }), alert({ action: 'resolve', key: '/watch/shop/inc-7' })],
  [
    'an incident whose source only the envelope has',
    cd('incident.detected', { data: { subject: INCIDENT.subject } }),
    alert({ key: '/ci/shop/inc-7', at: '2026-03-02T09:12:08.000000Z' }),
  ],
  [
    'an environment',
    cd('environment.modified', { data: { subject: { id: 'production' } } }),
    event({ event_type: 'config_change', entity: 'production' }),
  ],
  ['a pipeline', cd('pipelinerun.finished'), ignored('type dev.cdevents.pipelinerun.finished')],
  ['a type of nobody’s', { type: 'com.example.thing' }, ignored('type com.example.thing')],
])

test('CloudEvents come in headers and in batches, too', () => {
  const { body } = DOORS.cloudevents.example
  const { data, ...attributes } = Object(body)
  const headers = Object.fromEntries(Object.entries(attributes).map(([name, value]) => [`ce-${name}`, encodeURIComponent(String(value))]))
  const structured = deliver(DOORS.cloudevents, body)
  expect(deliver(DOORS.cloudevents, data, { headers: { 'content-type': 'application/json', ...headers } })).toEqual(structured)
  const batch = { headers: { 'content-type': 'application/cloudevents-batch+json' } }
  expect(deliver(DOORS.cloudevents, [body, { ...attributes, type: 'x' }], batch)).toMatchObject({
    events: structured.events,
    ignored: 'type x',
  })
  const incidents = Array.from({ length: 60 }, (_, index) => ({
    ...attributes,
    type: 'dev.cdevents.incident.detected.0.3.0',
    data: { subject: { ...INCIDENT.subject, id: `inc-${index}` } },
  }))
  expect(deliver(DOORS.cloudevents, incidents, batch)).toMatchObject({
    alerts: { length: 50 },
    ignored: '10 alerts beyond the 50 of one delivery',
  })
  expect(deliver(DOORS.cloudevents, { any: 1 }, { headers: {} })).toMatchObject({ isUnsupported: true })
})

test('a delivery whose events have no time goes by the sender’s name for it', () => {
  const flag = { object_kind: 'feature_flag', object_attributes: { name: 'x', active: true }, project: { path_with_namespace: 'a/b' } }
  expect(deliver(DOORS.gitlab, flag, { headers: { 'Idempotency-Key': 'k1' } })).toMatchObject({ idempotencyKey: 'k1' })
  expect(deliver(DOORS.github, { ...PUSH, repository: { ...repository, pushed_at: undefined } }, push)).toMatchObject({
    idempotencyKey: 'd-1',
  })
  expect(deliver(DOORS.github, PUSH, push).idempotencyKey).toBeUndefined()
})
