import type { Delivery, Door, Signals } from './door.ts'
import { CONFIDENCE, ignore, invalid, judgeEnvironment, oneEvent, toDeployValues, toService, toTitle } from './mapping.ts'
import { at, nameAt, textAt, toEpochMs, toInstant, toText } from './reading.ts'

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

/** What a pipeline says of itself when nothing was deployed. */
const NOTHING = new Set(['cancelled', 'canceled', 'skipped', 'pending'])
const SINCE_1970 = /^\d{9,14}(?:\.\d{1,9})?$/

function read({ body, header, settings }: Delivery): Signals {
  const told = nameAt(body, 'service')
  const service = toService(settings, [told], told)
  if (service === undefined) return invalid('service is required')
  const sha = nameAt(body, 'sha') ?? nameAt(body, 'version')
  if (sha === undefined) return invalid('sha is required')
  const status = toText(at(body, 'status'), 40)?.toLowerCase() ?? ''
  if (NOTHING.has(status)) return ignore(`status ${status}`)
  const outcome = STATUSES.get(status)
  if (outcome === undefined) return invalid('status must be succeeded, failed, started or rolled_back')
  const time = textAt(body, 'timestamp') ?? textAt(body, 'at')
  const happenedAt = readTime(time)
  if (time !== undefined && happenedAt === undefined) return invalid('timestamp must be ISO 8601, or seconds since 1970')
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
      at: happenedAt,
      environment,
      url: at(body, 'url'),
      details: toTitle(textAt(body, 'title')),
    },
    toText(header('idempotency-key'), 255),
  )
}

function readTime(time: string | undefined): string | undefined {
  if (time === undefined || !SINCE_1970.test(time)) return toInstant(time)
  return toInstant(toEpochMs(Number(time)))
}

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
