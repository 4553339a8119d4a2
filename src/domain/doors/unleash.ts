import type { Delivery, Door, Signals } from './door.ts'
import { CONFIDENCE, ignore, judgeEnvironment, mappedService, oneEvent, USUAL } from './mapping.ts'
import { at, nameAt, textAt, toInstant, toName } from './reading.ts'

function read({ body, settings }: Delivery): Signals {
  const [type, flag] = [textAt(body, 'type'), nameAt(body, 'featureName')]
  const values = readValues(type, body)
  if (!values) return ignore(`type ${type ?? 'missing'}`)
  if (flag === undefined) return ignore('no feature')
  const environment = judgeEnvironment(settings, at(body, 'environment'))
  const actor = nameAt(body, 'createdBy')
  return oneEvent({
    service: mappedService(settings, [flag, nameAt(body, 'project')]) ?? toName(settings.service) ?? 'unleash',
    vendor: 'unleash',
    entity: flag,
    type: 'flag_change',
    ...values,
    actor: actor === 'unknown' ? undefined : actor,
    confidence: CONFIDENCE.stated,
    at: toInstant(at(body, 'createdAt')),
    environment,
  })
}

function readValues(type: string | undefined, body: unknown): { readonly old?: string | undefined; readonly new: string } | undefined {
  switch (type) {
    case 'feature-environment-enabled':
      return { old: 'off', new: 'on' }
    case 'feature-environment-disabled':
      return { old: 'on', new: 'off' }
    case 'feature-strategy-add':
    case 'feature-strategy-update':
    case 'feature-strategy-remove':
      return toStrategies(toStrategy(at(body, 'preData')), toStrategy(at(body, 'data')) ?? 'strategy:removed')
    case 'feature-environment-variants-updated':
      return toStrategies(toRollout(at(body, 'preData')), toRollout(at(body, 'data')) ?? 'variants:changed')
    case 'feature-archived':
      return { new: 'archived' }
    default:
      return undefined
  }
}

/** Where only a part that is not shown differs, there is nothing to go back to. */
const toStrategies = (old: string | undefined, changed: string) => ({ ...(old !== changed && { old }), new: changed })

function toStrategy(data: unknown): string | undefined {
  if (typeof data !== 'object' || data === null) return undefined
  return toRollout(data) ?? `strategy:${nameAt(data, 'name') ?? 'changed'}`
}

function toRollout(data: unknown): string | undefined {
  const rollout = nameAt(data, 'parameters', 'rollout')
  return rollout === undefined ? undefined : `strategy:${rollout}%`
}

export const unleash: Door = {
  title: 'Unleash',
  brings: 'flags',
  ...USUAL,
  config: ['service', 'service_map', 'environments'],
  read,
  example: {
    body: {
      id: 71,
      type: 'feature-environment-enabled',
      createdBy: 'mira',
      createdAt: '2026-03-02T09:12:08.410Z',
      data: null,
      preData: null,
      tags: [],
      featureName: 'express-checkout',
      project: 'shop',
      environment: 'production',
    },
  },
  setup: `Configure → Integrations → Webhook: URL {{url}}, and under *Authorization* \`Bearer {{token}}\`. Choose the events *feature-environment-enabled*, *-disabled*, *feature-strategy-add*, *-update*, *-remove*, *feature-environment-variants-updated* and *feature-archived*.

Whoever evaluates a flag is whom it concerns, as OpenTelemetry logs tell. For flags that nobody is seen to evaluate, \`service_map\` names a service by the flag's or the project's name.`,
}
