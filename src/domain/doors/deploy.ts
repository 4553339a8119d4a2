import type { Delivery, Door, Signals } from './door.ts'
import { CONFIDENCE, judgeEnvironment, oneEvent, toDeployValues, toReason, toService, toTitle } from './mapping.ts'
import { at, nameAt, textAt, toInstant, toText } from './reading.ts'

const STATUSES: ReadonlyMap<string, string> = new Map([
  ['', 'succeeded'],
  ['succeeded', 'succeeded'],
  ['success', 'succeeded'],
  ['deployed', 'succeeded'],
  ['failed', 'failed'],
  ['failure', 'failed'],
  ['error', 'failed'],
  ['started', 'started'],
  ['running', 'started'],
  ['in_progress', 'started'],
  ['rolled_back', 'rolled_back'],
  ['rolledback', 'rolled_back'],
  ['rollback', 'rolled_back'],
])

function read({ body, header, settings }: Delivery): Signals {
  const told = nameAt(body, 'service')
  const service = toService(settings, [told], told)
  if (service === undefined) return invalid('service is required')
  const sha = nameAt(body, 'sha') ?? nameAt(body, 'version')
  if (sha === undefined) return invalid('sha is required')
  const outcome = STATUSES.get(toText(at(body, 'status'), 40)?.toLowerCase() ?? '')
  if (outcome === undefined) return invalid('status must be succeeded, failed, started or rolled_back')
  const environment = judgeEnvironment(settings, at(body, 'environment'))
  return oneEvent(
    {
      service,
      vendor: 'deploy',
      entity: told ?? service,
      type: 'deploy',
      ...toDeployValues(outcome, nameAt(body, 'previous_sha'), sha),
      actor: at(body, 'by'),
      confidence: CONFIDENCE.stated,
      at: toInstant(at(body, 'timestamp') ?? at(body, 'at')),
      environment,
      url: at(body, 'url'),
      details: toTitle(textAt(body, 'title')),
    },
    toText(header('idempotency-key'), 255),
  )
}

const invalid = (why: string): Signals => ({ events: [], alerts: [], invalid: toReason(why) })

export const deploy: Door = {
  title: 'One line of CI',
  brings: 'deploys',
  mediaTypes: ['json', 'form'],
  maxBytes: 1_048_576,
  whenBusy: 429,
  config: ['service', 'service_map', 'environments'],
  read,
  example: {
    body: {
      service: 'checkout',
      sha: '3f9c1d2ab4e5',
      previous_sha: '8b7a6c5d4e3f',
      environment: 'production',
      by: 'mira',
      url: 'https://ci.example.com/runs/812',
    },
  },
  setup: `Where your pipeline has deployed, say so:

    curl -fsS {{url}} -H "Authorization: Bearer {{token}}" -d service=checkout -d sha=$GITHUB_SHA

Besides \`service\` and \`sha\`: \`previous_sha\`, \`environment\` (production, if not said), \`status\` (\`succeeded\`, \`failed\`, \`started\`, \`rolled_back\`), \`by\`, \`url\`, \`timestamp\`. A form or JSON.`,
}
