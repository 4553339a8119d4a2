import type { Clock, Memory } from '../deps.ts'
import { setBounded } from '../domain/bounded-map.ts'
import { AppError } from '../domain/errors.ts'

/** Under way for so long, a read is slow; for longer, it has ended with its request, or nobody waits for it any more. */
const SLOW_AFTER_MS = 300
const OVER_AFTER_MS = 5_000

/**
 * Does a reading for whoever `key` names, unless so many slow ones of theirs are under way in this isolate: then it throws
 * `unavailable`, before the store is asked. Quick ones are never refused.
 */
export async function readUnlessSlow<Result>(
  { slowReads, slowReadsAtOnce, now }: Memory & Clock,
  key: string,
  read: () => Promise<Result>,
): Promise<Result> {
  const startedAt = now()
  const ageOf = (at: Date) => startedAt.getTime() - at.getTime()
  const underWay = (slowReads.get(key) ?? []).filter((at) => ageOf(at) < OVER_AFTER_MS)
  if (underWay.filter((at) => ageOf(at) >= SLOW_AFTER_MS).length >= slowReadsAtOnce)
    throw new AppError('unavailable', `${slowReadsAtOnce} slow reads of this key are under way; try again`)
  setBounded(slowReads, key, [...underWay, startedAt])
  try {
    return await read()
  } finally {
    const left = (slowReads.get(key) ?? []).filter((at) => at !== startedAt)
    if (left.length > 0) slowReads.set(key, left)
    else slowReads.delete(key)
  }
}
