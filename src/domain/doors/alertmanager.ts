import { workloadOfFallbackName } from '../event/service-name.ts'
import { hashOf } from '../hash.ts'
import type { Delivery, Door, DoorAlert, DoorSettings, Signals } from './door.ts'
import { ignore, judgeAlertEnvironment, present, takeAlerts, toReason, toService } from './mapping.ts'
import { at, listAt, nameAt, toInstant, toName, toText, toUrl } from './reading.ts'

/** The labels that may name a service, the most telling first. */
const SERVICE_LABELS = ['service', 'service_name', 'app_kubernetes_io_name', 'app', 'deployment', 'statefulset', 'job', 'namespace']
/** What tells of every object of a cluster: the labels `service` and `job` are its own, whatever an alert is about. */
const CLUSTERS_TELLER = /(?:^|[-/])kube-state-metrics$/
/** What kube-prometheus fires for ever: that alerting works, and what inhibits others. */
const ENDLESS = new Set(['Watchdog', 'InfoInhibitor'])
const MAX_KEY_LENGTH = 512
const MAX_GROUP_KEY_LENGTH = 65_536

/** Hashed once: a group may have thousands of alerts. */
type GroupKey = { readonly text: string; readonly hash: string }

type Member = {
  readonly alertname: string
  readonly service: string | undefined
  readonly environment: string | undefined
  readonly isFiring: boolean
  readonly title: string
  readonly url: string | undefined
  readonly at: string | undefined
}

/**
 * Reads a group of Alertmanager's (webhook version 4) or Grafana's (version 1): one alert for each service and alert
 * name in it. It fires while one of its members does; members that are absent say nothing.
 */
export function readAlertGroup({ body, settings }: Delivery): Signals {
  const groupKey = toText(at(body, 'groupKey'), MAX_GROUP_KEY_LENGTH)
  if (groupKey === undefined) return ignore('custom payload: no groupKey')
  const read = listAt(body, 'alerts').map((alert) => readMember(alert, body, settings))
  const members = read.filter((member): member is Member => typeof member !== 'string')
  const reasons = new Set(read.filter((member): member is string => typeof member === 'string'))
  const groups = Map.groupBy(members, ({ service, alertname }) => JSON.stringify([service ?? null, alertname]))
  const key = { text: groupKey, hash: toHash(groupKey) }
  const { alerts, left } = takeAlerts([...groups.values()].flatMap((group) => toAlert(key, group)))
  const why = [...left, ...reasons].join(', ') || (alerts.length === 0 ? 'no alerts' : undefined)
  return { events: [], alerts, ...(why !== undefined && { ignored: toReason(why) }) }
}

/** A member of the group, or why it does not count. */
function readMember(alert: unknown, body: unknown, settings: DoorSettings): Member | string {
  const label = (name: string) => nameAt(alert, 'labels', name) ?? nameAt(body, 'commonLabels', name)
  const alertname = label('alertname') ?? 'alert'
  if (ENDLESS.has(alertname)) return alertname
  const severity = label('severity')?.toLowerCase()
  if (severity === 'none' || severity === 'info') return `severity ${severity}`
  const status = at(alert, 'status')
  if (status !== 'firing' && status !== 'resolved') return 'an alert neither firing nor resolved'
  const verdict = judgeAlertEnvironment(settings, label('environment') ?? label('env'))
  if ('ignored' in verdict) return verdict.ignored
  const annotation = (name: string) => toText(at(alert, 'annotations', name)) ?? toText(at(body, 'commonAnnotations', name))
  const named = settings.serviceLabel === undefined ? toNamed(label) : label(settings.serviceLabel)
  const isFiring = status === 'firing'
  return {
    alertname,
    service: toService(settings, [named], named),
    environment: verdict.environment,
    isFiring,
    title: annotation('summary') ?? annotation('description') ?? alertname,
    url: toUrl(at(alert, 'generatorURL')) ?? toUrl(at(body, 'externalURL')),
    at: toInstant(at(alert, isFiring ? 'startsAt' : 'endsAt')),
  }
}

/** Whom an alert names: by the first label that may, or by the object that kube-state-metrics tells of. */
function toNamed(label: (name: string) => string | undefined): string | undefined {
  const named = SERVICE_LABELS.flatMap((name) => label(name) ?? [])[0]
  if (named === undefined || !CLUSTERS_TELLER.test(named)) return named
  const pod = label('exported_pod') ?? label('pod')
  const namespace = label('exported_namespace') ?? label('namespace')
  const fallback = { serviceName: `${namespace ?? 'default'}/${pod}`, vendor: 'kubernetes', entity: pod ?? '' }
  const set = ['deployment', 'statefulset', 'daemonset', 'cronjob'].flatMap((name) => label(name) ?? [])[0]
  return set ?? (pod && workloadOfFallbackName(fallback)) ?? namespace ?? named
}

function toAlert(groupKey: GroupKey, group: readonly Member[]): DoorAlert[] {
  const firing = group.filter(({ isFiring }) => isFiring)
  const members = firing.length > 0 ? firing : group
  const [first] = members
  if (!first) return []
  const times = members.flatMap((member) => member.at ?? []).sort()
  return [
    {
      action: firing.length > 0 ? 'trigger' : 'resolve',
      key: toKey(groupKey, first),
      title: first.title,
      ...present({
        service: first.service,
        url: members.find(({ url }) => url !== undefined)?.url,
        at: firing.length > 0 ? times.at(0) : times.at(-1),
        environment: first.environment,
      }),
    },
  ]
}

/** The group's key, with what tells this alert from others of the group; of what is long its beginning, and a hash of all of it. */
function toKey({ text, hash }: GroupKey, { service, alertname }: Member): string {
  const end = `/${shorten(service ?? '', 120)}/${shorten(alertname, 120)}`
  const start = shorten(text, MAX_KEY_LENGTH - end.length, hash)
  return toName(`${start}${end}`) ?? start
}

const toHash = (text: string) => hashOf(text).toString(16).padStart(8, '0')

function shorten(text: string, length: number, hash?: string): string {
  if (text.length <= length) return text
  const end = `…${hash ?? toHash(text)}`
  return `${text.slice(0, length - end.length).toWellFormed()}${end}`
}

export const alertmanager: Door = {
  title: 'Alertmanager',
  brings: 'alerts',
  mediaTypes: ['json'],
  maxBytes: 1_048_576,
  whenBusy: 503,
  config: ['service', 'service_map', 'service_label', 'environments', 'wait_seconds'],
  read: readAlertGroup,
  example: {
    body: {
      version: '4',
      groupKey: '{}/{team="shop"}:{alertname="SlowCheckout"}',
      truncatedAlerts: 0,
      status: 'firing',
      receiver: 'noctuary',
      groupLabels: { alertname: 'SlowCheckout' },
      commonLabels: { alertname: 'SlowCheckout', service: 'checkout', severity: 'critical' },
      commonAnnotations: { summary: 'Checkout answers slowly' },
      externalURL: 'https://alertmanager.example.com',
      alerts: [
        {
          status: 'firing',
          labels: { alertname: 'SlowCheckout', service: 'checkout', severity: 'critical', pod: 'checkout-6d5f7c9b8d-k2x7q' },
          annotations: { summary: 'Checkout answers slowly' },
          startsAt: '2026-03-02T09:14:30.25Z',
          endsAt: '0001-01-01T00:00:00Z',
          generatorURL: 'https://prometheus.example.com/graph?g0.expr=slow',
          fingerprint: '4b1d0c9e8f7a6b5c',
        },
      ],
    },
  },
  setup: `In \`alertmanager.yml\`:

    receivers:
      - name: noctuary
        webhook_configs:
          - url: {{url}}
            http_config:
              authorization: {credentials: {{token}}}

Then send alerts to it. Where it is the only receiver:

    route: {receiver: noctuary, group_by: [alertname, service]}

Beside others, as the first of your routes:

    routes:
      - {receiver: noctuary, continue: true}

Reload Alertmanager: \`kill -HUP\`, or \`POST /-/reload\`. The first alert of a group is sent after \`group_wait\`, 30 seconds unless you set it. One incident opens for each service and alert name of a group; the labels \`service\`, \`app\`, \`deployment\`, … or the one of \`service_label\` tell the service; of what kube-state-metrics tells, the workload.`,
}
