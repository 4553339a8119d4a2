import { createHash } from 'node:crypto'
import { SHOP_SERVICE, type ShopEvent } from './shop.ts'

/** The senders of the shop whose doors its story comes in by. */
export const SHOP_SENDERS = ['github', 'argocd', 'launchdarkly', 'otlp'] as const

export type ShopSender = (typeof SHOP_SENDERS)[number]

/** One request, as its sender makes it. */
export type ShopDelivery = {
  readonly sender: ShopSender
  readonly headers: Readonly<Record<string, string>>
  readonly body: unknown
  /** The events that it tells. */
  readonly events: readonly ShopEvent[]
}

type Told =
  | Omit<ShopDelivery, 'events'>
  | { readonly sender: 'otlp'; readonly resource: Readonly<Record<string, string>>; readonly record: object }

const MAX_RECORDS = 8
const BOT = 'deploy-bot'
/** What runs in the shop, as events and the lines behind them name it. */
const SERVICES =
  /\b(?:admin-console|cart|checkout|fulfilment|ingress|inventory|kafka|nightly-report|payment-service|postgres|recommendations|redis|search|search-indexer|storefront)\b/g

/** The same story in another region of the shop, where every service has the region in its name. */
export function inRegion(events: readonly ShopEvent[], region: string): readonly ShopEvent[] {
  const rename = (text: string) => text.replace(SERVICES, (name) => toRegional(name, region))
  return events.map(({ event, ...rest }) => ({
    ...rest,
    event: { ...event, service_name: rename(event.service_name), entity: rename(event.entity), raw_line: rename(event.raw_line) },
  }))
}

export const toRegional = (service: string, region: string) => (region === '' ? service : `${service}-${region}`)

const FLAG_USERS: Readonly<Record<string, string>> = { newProductGallery: 'storefront', rankingModel: 'recommendations' }

/** The story as its senders tell it, in order: log records that follow each other travel together. */
export function toDeliveries(events: readonly ShopEvent[], region = ''): readonly ShopDelivery[] {
  const deliveries: ShopDelivery[] = []
  const turned = new Set<string>()
  let records: { readonly event: ShopEvent; readonly group: object }[] = []
  const flush = () => {
    if (records.length === 0) return
    const body = { resourceLogs: records.map(({ group }) => group) }
    deliveries.push({ sender: 'otlp', headers: {}, body, events: records.map(({ event }) => event) })
    records = []
  }
  for (const event of events) {
    const told = tell(event, turned, region)
    if (told && 'record' in told) {
      const resource = { attributes: toAttributes(told.resource) }
      records.push({ event, group: { resource, scopeLogs: [{ logRecords: [{ timeUnixNano: `${event.atMs}000000`, ...told.record }] }] } })
      if (records.length < MAX_RECORDS) continue
    }
    flush()
    if (told && !('record' in told)) deliveries.push({ ...told, events: [event] })
  }
  flush()
  return deliveries
}

function tell(shopEvent: ShopEvent, turned: Set<string>, region: string): Told | undefined {
  const { event, atMs } = shopEvent
  const at = new Date(atMs)
  switch (event.vendor) {
    case 'argocd':
      return event.new_value?.startsWith('auto_syncing') ? publish(event.entity, event.sha ?? '', at) : sync(shopEvent)
    case 'flagd': {
      if (turned.has(event.entity)) return evaluation(event.entity, event.new_value ?? '', region)
      turned.add(event.entity)
      return turnOn(event.entity, event.old_value ?? '', event.new_value ?? '', at)
    }
    case 'kubernetes': {
      const record = { body: toValue(JSON.parse(event.raw_line)), attributes: toAttributes({ 'k8s.resource.name': 'events' }) }
      return { sender: 'otlp', resource: { 'k8s.cluster.name': 'shop' }, record }
    }
    case 'generic':
      return line(event.service_name, event.raw_line, { severityNumber: 17 })
    default:
      return line(event.service_name, event.raw_line)
  }
}

const line = (service: string, text: string, more: object = {}): Told => ({
  sender: 'otlp',
  resource: { 'service.name': service },
  record: { ...more, body: { stringValue: text } },
})

const evaluation = (flag: string, variant: string, region: string): Told => ({
  sender: 'otlp',
  resource: { 'service.name': toRegional(FLAG_USERS[flag] ?? 'storefront', region) },
  record: {
    eventName: 'feature_flag.evaluation',
    attributes: toAttributes({
      'feature_flag.key': flag,
      'feature_flag.result.variant': variant,
      'feature_flag.result.reason': 'targeting_match',
      'feature_flag.provider.name': 'launchdarkly',
    }),
  },
})

function turnOn(flag: string, from: string, to: string, at: Date): Told {
  const isSwitch = from === 'off'
  const environments = (on: boolean) => ({ key: flag, environments: { production: { on } } })
  return {
    sender: 'launchdarkly',
    headers: {},
    body: {
      kind: 'flag',
      name: flag,
      date: at.getTime(),
      accesses: [{ action: isSwitch ? 'updateOn' : 'updateFallthrough', resource: `proj/shop:env/production:flag/${flag}` }],
      member: { email: 'mira@shop.example' },
      titleVerb: isSwitch ? 'turned on the flag' : to,
      title: isSwitch ? `Mira turned on the flag ${flag} in Production` : `Mira served ${to} of ${flag} in Production`,
      ...(isSwitch && { previousVersion: environments(false), currentVersion: environments(true) }),
    },
  }
}

/** What runs before a sync where GitHub builds: the workflow that published what is synced. */
function publish(app: string, sha: string, at: Date): Told | undefined {
  if (app.startsWith(SHOP_SERVICE)) return undefined
  const id = Number.parseInt(sha, 16)
  return {
    sender: 'github',
    headers: { 'X-GitHub-Event': 'workflow_run', 'X-GitHub-Delivery': `${sha}-0000-4000-8000-000000000000` },
    body: {
      action: 'completed',
      workflow_run: {
        id,
        name: 'Publish',
        display_title: `Publish ${app}`,
        head_sha: toFullSha(sha),
        conclusion: 'success',
        actor: { login: BOT },
        updated_at: at.toISOString(),
        html_url: `https://github.com/shop/${app}/actions/runs/${id}`,
      },
      repository: { full_name: `shop/${app}` },
    },
  }
}

/** What the notifications of Argo CD tell: that it syncs, that it has synced, and that what runs is unwell. */
function sync({ event, atMs }: ShopEvent): Told | undefined {
  const [at, value] = [new Date(atMs).toISOString(), event.new_value ?? '']
  const app = { app: event.entity, namespace: 'prod', by: BOT }
  const headers = {}
  if (value.startsWith('syncing:'))
    return { sender: 'argocd', headers, body: { ...app, phase: 'Running', revision: toFullSha(event.sha ?? ''), startedAt: at } }
  if (value === 'succeeded') {
    const body = { ...app, phase: 'Succeeded', health: 'Healthy', revision: toFullSha(event.sha ?? ''), startedAt: at, finishedAt: at }
    return { sender: 'argocd', headers, body }
  }
  return value === 'health:Degraded'
    ? { sender: 'argocd', headers, body: { ...app, phase: 'Succeeded', health: 'Degraded', healthAt: at, finishedAt: at } }
    : undefined
}

/** As git has it: forty characters, of which the story tells the first eight. */
const toFullSha = (sha: string) => `${sha}${createHash('sha1').update(sha).digest('hex').slice(sha.length)}`

const toAttributes = (fields: Readonly<Record<string, string>>) =>
  Object.entries(fields).map(([key, stringValue]) => ({ key, value: { stringValue } }))

/** Plain data as an `AnyValue` of OTLP. */
function toValue(data: unknown): object {
  if (typeof data === 'number') return { intValue: String(data) }
  if (typeof data !== 'object' || data === null) return { stringValue: String(data) }
  return { kvlistValue: { values: Object.entries(data).map(([key, value]) => ({ key, value: toValue(value) })) } }
}
