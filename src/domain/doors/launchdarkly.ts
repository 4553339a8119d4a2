import type { Delivery, Door, Signals } from './door.ts'
import { CONFIDENCE, ignore, judgeEnvironment, mappedService, oneEvent, toTitle, USUAL } from './mapping.ts'
import { at, listAt, nameAt, textAt, toInstant, toName, toText } from './reading.ts'

/** `proj/<project>:env/<environment>:flag/<key>`, each with tags after a semicolon. */
const RESOURCE = /^proj\/([^:;]{1,512})(?:;[^:]*)?:env\/([^:;]{1,512})(?:;[^:]*)?:flag\/([^:;]{1,512})/
/** Titles are Markdown, whose names are links. */
const LINK = /\[([^[\]]{1,256})\]\([^()\s]{1,1024}\)/g
const MAX_RESOURCE_LENGTH = 16_384
const METADATA = new Set(['updateName', 'updateTags', 'updateDescription'])
const SITE = 'https://app.launchdarkly.com'

function read({ body, settings }: Delivery): Signals {
  if (at(body, 'kind') !== 'flag') return ignore(`kind ${textAt(body, 'kind') ?? 'missing'}`)
  const accesses = listAt(body, 'accesses').map((access) => ({
    action: textAt(access, 'action'),
    resource: RESOURCE.exec(toText(at(access, 'resource'), MAX_RESOURCE_LENGTH) ?? '') ?? undefined,
  }))
  const named = accesses.filter(({ resource }) => resource !== undefined)
  const changes = named.filter(({ action }) => action === undefined || !METADATA.has(action))
  // One entry may be about every environment.
  const access = changes.find(({ resource }) => !('ignored' in judgeEnvironment(settings, resource?.[2]))) ?? changes[0]
  if (!access?.resource) return ignore(named[0] ? `a flag's metadata: ${named[0].action}` : 'no environment in the resource')
  const [, project, name, key] = access.resource
  const flag = toName(key)
  if (flag === undefined || name === undefined) return ignore('no flag in the resource')
  const environment = judgeEnvironment(settings, name)
  const path = textAt(body, '_links', 'site', 'href')
  return oneEvent({
    service: mappedService(settings, [flag, project]) ?? toName(settings.service) ?? 'launchdarkly',
    vendor: 'launchdarkly',
    entity: flag,
    type: 'flag_change',
    ...readValues(body, name, access.action),
    actor: nameAt(body, 'member', 'email') ?? nameAt(body, 'token', 'name') ?? nameAt(body, 'app', 'name'),
    confidence: CONFIDENCE.stated,
    at: toInstant(at(body, 'date')),
    environment,
    url: path?.startsWith('/') ? `${SITE}${path}` : path,
    details: toTitle(textAt(body, 'title')?.replaceAll(LINK, '$1')),
  })
}

/** On and off where both versions say; else what the title says was done. */
function readValues(body: unknown, environment: string, action: string | undefined): { old?: string; new: string | undefined } {
  const [before, after] = ['previousVersion', 'currentVersion'].map((version) => at(body, version, 'environments', environment, 'on'))
  if (typeof before === 'boolean' && typeof after === 'boolean' && before !== after) return { old: toState(before), new: toState(after) }
  const verb = textAt(body, 'titleVerb')
  const turned = /^turned (on|off)\b/.exec(verb ?? '')?.[1] ?? (verb === undefined ? turnedIn(textAt(body, 'title')) : undefined)
  if (turned !== undefined) return { old: turned === 'on' ? 'off' : 'on', new: turned }
  return { new: verb ?? action }
}

const turnedIn = (title = '') => / turned (on|off) the flag /.exec(title)?.[1]

const toState = (isOn: boolean) => (isOn ? 'on' : 'off')

export const launchdarkly: Door = {
  title: 'LaunchDarkly',
  brings: 'flags',
  signatures: [{ kind: 'hex', header: 'X-LD-Signature' }],
  ...USUAL,
  config: ['service', 'service_map', 'environments', 'webhook_secret'],
  read,
  example: {
    body: {
      _id: '65e2f0a1b2c3d4e5f6071829',
      _links: { site: { href: '/shop/production/features/express-checkout', type: 'text/html' } },
      kind: 'flag',
      name: 'Express checkout',
      date: 1772442728000,
      accesses: [{ action: 'updateOn', resource: 'proj/shop:env/production:flag/express-checkout' }],
      member: { email: 'mira@example.com', firstName: 'Mira' },
      titleVerb: 'turned on the flag',
      title: 'Mira turned on the flag Express checkout in Production',
      previousVersion: { key: 'express-checkout', environments: { production: { on: false } } },
      currentVersion: { key: 'express-checkout', environments: { production: { on: true } } },
    },
  },
  setup: `Integrations → Webhooks → Add integration: URL {{url}}, *Sign this webhook* with a secret, which is the integration's \`webhook_secret\`, and a policy that allows \`proj/*:env/production:flag/*\`.

Whoever evaluates a flag is whom it concerns, as OpenTelemetry logs tell. For flags that nobody is seen to evaluate, \`service_map\` names a service by the flag's or the project's key.`,
}
