import type { ChangeText } from '../event/event.ts'
import { isSameRevision, toRevision } from '../event/revision.ts'

/** A report of one thing's change: all of them are of one type and entity. */
export type Reported = Pick<ChangeText, 'eventType' | 'oldValue' | 'newValue' | 'sha' | 'environment'> & { readonly at: Date }

/** What a deployer says of a rollback. */
export const ROLLED_BACK = /^rolled[ _-]?back$/i

/**
 * The report, of those in the order of their time, that undid the blamed change: it puts the value of before back, deploys a
 * revision of before, or says of itself that it is a rollback. `undefined`: none did, or what was blamed is not among them.
 * Scaling goes up and down by itself.
 */
export function findUndoing<Report extends Reported>(
  reports: readonly Report[],
  { newValue, sha }: Pick<Reported, 'newValue' | 'sha'>,
  answeredAt: Date,
) {
  const place = reports.findLastIndex((one) => one.newValue === newValue && one.sha === sha && one.at <= answeredAt)
  const blamed = reports[place]
  if (!blamed || blamed.eventType === 'scale_event') return undefined
  const ofPlace = (one: Report) => one.environment === blamed.environment
  const before = reports.slice(0, place).filter(ofPlace)
  return reports
    .slice(place + 1)
    .filter(ofPlace)
    .find((later) => undoes(later, blamed, before))
}

function undoes(later: Reported, blamed: Reported, before: readonly Reported[]): boolean {
  if (isText(blamed.oldValue) && blamed.oldValue !== blamed.newValue) {
    if (later.oldValue === blamed.newValue && later.newValue === blamed.oldValue) return true
  }
  if (later.eventType === 'deploy') return isEarlierRevision(later, blamed, before)
  const previous = before.at(-1)?.newValue
  return isText(previous) && previous !== blamed.newValue && later.newValue === previous
}

function isEarlierRevision(later: Reported, blamed: Reported, before: readonly Reported[]): boolean {
  if (ROLLED_BACK.test(later.newValue ?? '')) return true
  const [revision, bad] = [toRevision(later), toRevision(blamed)]
  if (revision === undefined || (bad !== undefined && isSameRevision(revision, bad))) return false
  const earlier = [...before.map(toRevision), toRevision({ ...blamed, newValue: blamed.oldValue, sha: null })]
  return earlier.some((one) => one !== undefined && isSameRevision(one, revision))
}

const isText = (text: string | null | undefined): text is string => text !== null && text !== undefined
