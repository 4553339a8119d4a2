import type { CloudEvent } from './cloud-event.ts'
import type { DoorSettings, Signals } from './door.ts'
import { CONFIDENCE, ignore, judgeAlertEnvironment, judgeEnvironment, oneAlert, oneEvent, toService } from './mapping.ts'
import { at, nameAt, textAt, toInstant, toName } from './reading.ts'

/** Versions differ in the number at the end only. */
const TYPE = /^dev\.cdevents\.([a-z]+\.[a-z]+)(?:\.|$)/
/** What CDEvents' own Kubernetes emitters put before a workload's name. */
const KIND_PREFIX = /^(?:service|deployment|daemonset|statefulset)\//i

type Deploys = 'artifact' | 'rolled_back' | 'removed'

const DEPLOYS: ReadonlyMap<string | undefined, Deploys> = new Map<string, Deploys>([
  ['service.deployed', 'artifact'],
  ['service.upgraded', 'artifact'],
  ['deployment.finished', 'artifact'],
  ['service.rolledback', 'rolled_back'],
  ['service.removed', 'removed'],
])
const INCIDENTS: ReadonlyMap<string | undefined, 'trigger' | 'resolve'> = new Map([
  ['incident.detected', 'trigger'],
  ['incident.reported', 'trigger'],
  ['incident.resolved', 'resolve'],
])

/** Reads a CDEvent of 0.4 or 0.5; `undefined` for what is none. */
export function readCdEvent(event: CloudEvent, settings: DoorSettings): Signals | undefined {
  const kind = TYPE.exec(event.type)?.[1]
  if (kind === undefined) return undefined
  const deploys = DEPLOYS.get(kind)
  if (deploys !== undefined) return readDeploy(event, settings, deploys)
  const action = INCIDENTS.get(kind)
  if (action !== undefined) return readIncident(event, settings, action)
  return kind === 'environment.modified' ? readEnvironment(event, settings) : ignore(`type dev.cdevents.${kind}`)
}

const toTime = ({ data, time }: CloudEvent) => toInstant(at(data, 'context', 'timestamp')) ?? toInstant(time)

function readDeploy(event: CloudEvent, settings: DoorSettings, deploys: Deploys): Signals {
  const subject = at(event.data, 'subject')
  const id = nameAt(subject, 'id')
  const name = toName(id?.replace(KIND_PREFIX, ''))
  const service = toService(settings, [id, name], name)
  if (name === undefined || service === undefined) return ignore('no subject')
  const content = at(subject, 'content')
  const environment = judgeEnvironment(settings, at(content, 'environment', 'id'))
  const artifact = toVersion(nameAt(content, 'artifactId'))
  const isFailed = deploys === 'artifact' && /^(?:failure|error)$/i.test(textAt(content, 'outcome') ?? '')
  return oneEvent({
    service,
    vendor: 'cdevents',
    entity: name,
    type: 'deploy',
    new: deploys === 'artifact' ? (isFailed ? 'failed' : (artifact ?? 'succeeded')) : deploys,
    sha: artifact,
    confidence: CONFIDENCE.stated,
    at: toTime(event),
    environment,
  })
}

/** The version of a package URL, which is percent-encoded: `pkg:oci/checkout@sha256%3A9f2c…`. */
function toVersion(artifactId = ''): string | undefined {
  const version = artifactId.slice(artifactId.lastIndexOf('@') + 1).split(/[?#]/, 1)[0] ?? ''
  if (version === '' || !artifactId.includes('@')) return undefined
  try {
    return toName(decodeURIComponent(version))
  } catch {
    return toName(version)
  }
}

function readIncident(event: CloudEvent, settings: DoorSettings, action: 'trigger' | 'resolve'): Signals {
  const subject = at(event.data, 'subject')
  const content = at(subject, 'content')
  const id = nameAt(subject, 'id')
  if (id === undefined) return ignore('no subject')
  const environment = judgeAlertEnvironment(settings, at(content, 'environment', 'id'))
  const named = nameAt(content, 'service', 'id') ?? nameAt(content, 'environment', 'id')
  const source = nameAt(event.data, 'context', 'source') ?? event.source
  const key = toName(source === undefined ? id : `${source}/${id}`) ?? id
  const service = toService(settings, [named], named)
  return oneAlert({ action, key, title: textAt(content, 'description') ?? id, service, at: toTime(event), environment })
}

function readEnvironment(event: CloudEvent, settings: DoorSettings): Signals {
  const subject = at(event.data, 'subject')
  const id = nameAt(subject, 'id')
  const name = nameAt(subject, 'content', 'name') ?? id
  const environment = judgeEnvironment(settings, name)
  if ('ignored' in environment) return ignore(environment.ignored)
  const service = toService(settings, [id, name], id)
  if (id === undefined || service === undefined) return ignore('no subject')
  return oneEvent({
    service,
    vendor: 'cdevents',
    entity: id,
    type: 'config_change',
    new: 'modified',
    confidence: CONFIDENCE.stated,
    at: toTime(event),
    environment,
    url: at(subject, 'content', 'url'),
  })
}
