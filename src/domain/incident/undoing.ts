import type { ChangeText } from '../event/event.ts'
import { isRollback, isSameRevision, toRevision } from '../event/revision.ts'

/** A report of one thing's change: all of them are of one type and entity. */
export type Reported = Pick<ChangeText, 'eventType' | 'oldValue' | 'newValue' | 'sha' | 'environment'> & { readonly at: Date }

/** What a cluster tells of the size of a replica set. */
export type Scaling = Reported & Pick<ChangeText, 'entity'>

/** How far apart a deploy and what the cluster does for it are told. */
const ROLLOUT_MS = 10 * 60_000

/**
 * The report, of those in the order of their time, that undid the blamed change: it puts the value of before back, deploys a
 * revision of before, brings back the replica set that the blamed deploy ended, as `scalings` of the service tell in the order of
 * their time, or says of itself that it is a rollback. `undefined`: none did, or what was blamed is not among them.
 * Scaling goes up and down by itself.
 */
export function findUndoing<Report extends Reported>(
  reports: readonly Report[],
  { newValue, sha }: Pick<Reported, 'newValue' | 'sha'>,
  answeredAt: Date,
  scalings: readonly Scaling[] = [],
) {
  const place = reports.findLastIndex((one) => one.newValue === newValue && one.sha === sha && one.at <= answeredAt)
  const blamed = reports[place]
  if (!blamed || blamed.eventType === 'scale_event') return undefined
  const ofPlace = (one: Report) => one.environment === blamed.environment
  const before = reports.slice(0, place).filter(ofPlace)
  const after = reports.slice(place + 1).filter(ofPlace)
  const returns = new Set(findReturns(blamed, scalings).map((at) => findRollout(at, blamed, after)))
  return after.find((later) => undoes(later, blamed, before) || returns.has(later))
}

type Thing = Pick<ChangeText, 'vendor' | 'entity'>

/** The same of all that was told, in whatever order: of the same thing as an answer's cause, and of its service's replica sets. */
export function findUndoingOf<Told extends Reported & Thing>(
  cause: Omit<Reported, 'at' | 'oldValue' | 'environment'> & Thing & { readonly service: string },
  told: readonly Told[],
  answeredAt: Date,
): Told | undefined {
  const { eventType, vendor, entity, service } = cause
  const sorted = told.toSorted((a, b) => a.at.getTime() - b.at.getTime())
  const reports = sorted.filter((one) => one.eventType === eventType && one.entity === entity && one.vendor === vendor)
  const scalings = sorted.filter((one) => one.eventType === 'scale_event' && one.entity.startsWith(`${service}-`))
  return findUndoing(reports, cause, answeredAt, scalings)
}

function undoes(later: Reported, blamed: Reported, before: readonly Reported[]): boolean {
  if (isText(blamed.oldValue) && blamed.oldValue !== blamed.newValue) {
    if (later.oldValue === blamed.newValue && later.newValue === blamed.oldValue) return true
  }
  if (later.eventType === 'deploy') return isEarlierRevision(later, blamed, before)
  const previous = before.at(-1)?.newValue
  return isText(previous) && previous !== blamed.newValue && later.newValue === previous
}

/** When replica sets came back that the blamed deploy ended: the same pods as before. One that began after it is the deploy's own. */
function findReturns(blamed: Reported, scalings: readonly Scaling[]): readonly Date[] {
  if (blamed.eventType !== 'deploy') return []
  const since = scalings.filter(({ at, environment }) => at >= blamed.at && environment === blamed.environment)
  return [...Map.groupBy(since, ({ entity }) => entity).values()].flatMap((own) => {
    const ended = own.findIndex(({ newValue }) => newValue === '0')
    const isOwn = own[0]?.oldValue === '0'
    return ended < 0 || isOwn ? [] : own.slice(ended + 1).flatMap(({ oldValue, at }) => (oldValue === '0' ? [at] : []))
  })
}

/** The deploy of another revision that is told nearest to what the cluster did. */
function findRollout<Report extends Reported>(at: Date, blamed: Reported, after: readonly Report[]): Report | undefined {
  const distance = (one: Report) => Math.abs(one.at.getTime() - at.getTime())
  const bad = toRevision(blamed)
  return after
    .filter((one) => {
      const revision = toRevision(one)
      return bad !== undefined && revision !== undefined && !isSameRevision(revision, bad) && distance(one) <= ROLLOUT_MS
    })
    .toSorted((a, b) => distance(a) - distance(b))[0]
}

function isEarlierRevision(later: Reported, blamed: Reported, before: readonly Reported[]): boolean {
  if (isRollback(later)) return true
  const [revision, bad] = [toRevision(later), toRevision(blamed)]
  if (revision === undefined || isSameRevision(revision, bad)) return false
  const earlier = [...before.map(toRevision), toRevision({ ...blamed, newValue: blamed.oldValue, sha: null })]
  return earlier.some((one) => isSameRevision(one, revision))
}

const isText = (text: string | null | undefined): text is string => text !== null && text !== undefined
