import { isSameEnvironment } from '../event/environment.ts'
import { type ChangeType, isChangeType } from '../event/event.ts'
import { isSameRevision, toRevision, toShortRevision } from '../event/revision.ts'
import { toNameKey } from '../event/service-name.ts'
import { quoteName } from '../text.ts'
import type { WindowEntry } from '../window/window.ts'
import type { Outlasted } from './confidence.ts'
import type { Change, Item, Observation } from './model.ts'
import { isAutoscaling } from './scaling.ts'
import { describe, type NameOf, toDuration, toInner, toLagText, toRevisionName, toTold } from './sentences.ts'
import { isCordoned, isExpired, isFullDisk, isOfAccess, isOfNode, isOfSecrets, type Refusal, toRefusal } from './trouble.ts'

/** The revision a deploy replaced, and the event that tells. */
export type Previous = { readonly text: string; readonly source: Observation } | undefined

const VERSION = /^v?\d[\w.+-]{0,39}$/i
const SHA = /^(?=.*\d)[0-9a-f]{6,64}$/i

/** The different revision that a deploy replaced, when it or an earlier deploy at its service tells. */
export function findPrevious({ lead, atMs }: Change, ofService: readonly Change[]): Previous {
  const { oldValue, eventType, entity, environment } = lead.entry
  if (eventType !== 'deploy') return undefined
  const own = toRevision(lead.entry)
  const isDifferent = (revision: string) => !isSameRevision(own, revision)
  if (oldValue !== null && isDifferent(oldValue)) {
    if (SHA.test(oldValue)) return { text: `sha=${toShortRevision(oldValue)}`, source: lead }
    if (VERSION.test(oldValue)) return { text: oldValue, source: lead }
  }
  const earlier = ofService.findLast((change) => {
    const revision = toRevision(change.lead.entry)
    const isOfSame =
      change.lead.entry.eventType === 'deploy' &&
      change.lead.entry.entity === entity &&
      change.atMs < atMs &&
      isSameEnvironment(change.lead.entry.environment, environment)
    const isTakenBack = change.isRollback || (change.undoneBy !== undefined && change.undoneBy.atMs < atMs)
    return isOfSame && !change.isFailed && !isTakenBack && revision !== undefined && isDifferent(revision)
  })
  const text = earlier && toRevisionName(earlier.lead.entry)
  return earlier && text !== undefined ? { text, source: earlier.lead } : undefined
}

/** What to do about a change that more than time speaks against; `outlasted`: how long what it may explain went on without it. */
export function recommendUndoing(change: Change, previous: Previous, outlasted: Outlasted, nameOf: NameOf): string {
  const { entry, key } = change.lead
  if (!isChangeType(entry.eventType) || change.isRollback) return recommendComparing(change, key, true, nameOf)
  const [entity, service] = [quoteName(entry.entity), nameOf(key)]
  const told = {
    entity,
    service,
    place: toNameKey(entry.entity) === key ? service : `${entity} of ${service}`,
    former: toTold(change.former?.value ?? entry.oldValue, entry.entity),
    count: toTold(entry.newValue) ?? 'fewer',
    previous,
  }
  if (isAutoscaling(change.lead))
    return `Raise the minimum of ${told.entity}: it took ${told.service} from ${told.former ?? 'more'} to ${told.count} replicas`
  if (!change.undoneBy && change.replacedBy) return recommendWaiting(change.replacedBy, previous, outlasted, nameOf)
  if (!change.undoneBy) return isOfAccess(entry) ? recommendRestoring(entry, told) : UNDOING[entry.eventType](told)
  return entry.eventType === 'deploy'
    ? `Make sure that the rollback of ${told.service} has taken effect`
    : `Make sure that setting ${told.place} back has taken effect`
}

/** What to do about settings of who may do what. */
function recommendRestoring(entry: WindowEntry, { entity, service }: Pick<Told, 'entity' | 'service'>): string {
  return isOfSecrets(entry)
    ? `Restore the previous value of ${entity} at ${service}`
    : `Grant again what ${entity} allowed before at ${service}`
}

/** What to do about a deploy that is no longer live. */
function recommendWaiting({ lead, atMs }: Change, previous: Previous, outlasted: Outlasted, nameOf: NameOf): string {
  const [by, when] = [toInner(describe(lead, nameOf)), toLagText(-atMs, 'the alert')]
  if (outlasted === 'long') return `Check whether ${by}, which replaced it ${when}, still contains what it changed: what failed goes on`
  return outlasted === 'no' || !previous || previous.text === toRevisionName(lead.entry)
    ? `Watch whether what failed ends: ${by} replaced it ${when}`
    : `Roll back to ${previous.text}, as it was before both: ${by} replaced it ${when}, and did not end what failed`
}

/** What to do about a change that only time speaks against, at the service that it may have broken. */
export function recommendComparing(change: Change, at: string, isExplaining: boolean, nameOf: NameOf): string {
  const comparing = `Compare errors and latency of ${nameOf(at)} before and after ${toInner(describe(change.lead, nameOf))}`
  return isExplaining ? comparing : `${comparing}: only its time connects it with the alert`
}

/** The same of two changes, either of which may be to blame. */
export function recommendComparingBoth(changes: readonly [Change, Change], nameOf: NameOf): string {
  const [first, second] = changes.map(({ lead }) => toInner(describe(lead, nameOf)))
  return `Compare what failed before and after ${first} and ${second} before undoing either`
}

type Told = {
  readonly entity: string
  readonly service: string
  /** A thing of a service, or the service itself. */
  readonly place: string
  readonly former: string | undefined
  readonly previous: Previous
}

const UNDOING: Readonly<Record<ChangeType, (told: Told) => string>> = {
  deploy: ({ service, previous }) => (previous ? `Roll back to ${previous.text}` : `Roll back ${service} to the previous revision`),
  flag_change: ({ entity, former }) => `Set flag ${entity} back to ${former ?? 'its former value'}`,
  config_change: ({ place }) => `Check ${place} and revert its config change`,
  schema_change: ({ place }) => `Check the schema change on ${place}, and revert it or fix it forward`,
  scale_event: ({ place, former }) =>
    former === undefined ? `Check whether ${place} has replicas enough` : `Scale ${place} back to ${former}`,
}

/** Changes that came soon before what failed, or were reported soon after it where it failed. */
type Around = { readonly before: Change | undefined; readonly after: Change | undefined }

/** What to look at where something failed that no recorded change explains. */
export function recommendAt(main: Item, hosts: ReadonlyMap<string, string>, { before, after }: Around, nameOf: NameOf): string {
  const { caller, callee, reports, isCall, onsetMs } = main
  if (isExpired(main)) return recommendRenewing(nameOf(callee), isCall ? nameOf(caller) : undefined)
  if (isFullDisk(main)) return recommendClearing(nameOf(callee))
  if (isCordoned(main)) return recommendMoving(nameOf(callee))
  return hosts.has(callee)
    ? recommendOutside({ host: nameOf(callee), caller: nameOf(caller), refusal: toRefusal(main) }, before, nameOf)
    : recommendLooking(nameOf(callee), reports.some(isOfNode), toFurther({ before, after }, onsetMs, nameOf))
}

type Outside = { readonly host: string; readonly caller: string; readonly refusal: Refusal | undefined }

const CHECKS: Readonly<Record<Refusal | 'away', (outside: Pick<Outside, 'host' | 'caller'>) => string>> = {
  wrong: ({ host, caller }) => `Check what ${caller} asks of ${host}, and with which credentials`,
  too_much: ({ host, caller }) => `Check how much ${caller} asks of ${host}, and how much it may`,
  away: ({ host, caller }) => `Check whether ${host} is up, and whether ${caller} can reach it`,
}

/** What to look at when a host outside cannot be reached or refuses, soon after a change of who calls it perhaps. */
function recommendOutside({ host, caller, refusal }: Outside, change: Change | undefined, nameOf: NameOf): string {
  const check = CHECKS[refusal ?? 'away']({ host, caller })
  return change ? `${check}${refusal ? ', and' : '; if so,'} ${toBefore(change, nameOf)}` : `${check}: there is no recorded change to undo`
}

/** What to look at when a service or a node fails for no recorded reason. */
function recommendLooking(place: string, isNode: boolean, further: string): string {
  return `Look at ${place}: ${isNode ? 'if it does not recover, cordon and drain it' : `its logs and load, and ${further}`}`
}

/** What to look at besides: a sender that tells the end of a rollout alone tells it late. */
function toFurther({ before, after }: Around, onsetMs: number, nameOf: NameOf): string {
  if (before) return toBefore(before, nameOf)
  if (!after) return 'changes that are not sent here'
  return `whether ${toInner(describe(after.lead, nameOf))} had begun before: it was reported ${toDuration(after.atMs - onsetMs)} later`
}

/** What to do when a certificate or the like has expired that a service shows, or is shown by whoever calls it. */
function recommendRenewing(place: string, caller: string | undefined): string {
  return `Renew what has expired at ${place}${caller === undefined ? '' : `, or what ${caller} shows it`}: what fails says which`
}

/** What to do when a volume is full. */
function recommendClearing(place: string): string {
  return `Make room on the volume of ${place}, and look at what fills it`
}

/** What to look at when a node was closed to pods. */
function recommendMoving(node: string): string {
  return `Look at who drains ${node}, and whether what ran there has started elsewhere`
}

/** What to look at when calls of one service to several fail at once. */
export function recommendLookingAround(caller: string, callees: string, change: Change | undefined, nameOf: NameOf): string {
  const check = `Look at what calls to ${callees} have in common: ${caller} itself, its network and nodes, and what all of them use`
  return change ? `${check}; then ${toBefore(change, nameOf)}` : check
}

function toBefore({ lead }: Change, nameOf: NameOf): string {
  return `compare with before ${toInner(describe(lead, nameOf))}`
}

/** What to do where something broke between a change and what fails, and either may be to blame. */
export function recommendDoubting(change: Change, place: string, nameOf: NameOf): string {
  return `Look at the logs and load of ${place} first, and ${toBefore(change, nameOf)}: undo that only if they point to it`
}

/** What to do when nothing is known to fail. */
export function recommendWatching(service: string): string {
  return `Look at ${service} itself: nothing on record tells what fails`
}
