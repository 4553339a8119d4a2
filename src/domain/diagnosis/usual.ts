import type { EventType } from '../event/event.ts'
import { toNameKey } from '../event/service-name.ts'
import { toValueClass } from '../event/value-class.ts'
import type { DiagnosisInput, Observation } from './model.ts'

/** How often a kind of event was counted at one service, and in how many hours. */
type Kind = { count: number; hours: number }

/** Hours that have to be on record before anything is a habit. */
export const MIN_HOURS = 6
/** What occurs in a third of all hours is usual, however near it comes to an alert, … */
const HABITUAL_SHARE = 1 / 3
/** … unless it occurs much more than in its usual hour. */
const MUCH_MORE = 3
/** What an entry itself tells of: so many repeats, so far apart, are a habit without any count. */
const MIN_REPEATS = 4
const MIN_GAP_MS = 20 * 60_000

export type Habits = {
  /** Whether a symptom is what its service shows anyway. */
  readonly isHabit: (observation: Observation) => boolean
  /** The share of hours in which its service reports such a change; 0 while little is counted. */
  readonly toShare: (observation: Observation) => number
}

/** What is usual at each service, by the hourly counts and by what repeats by the hour in its window. */
export function toHabits({ hoursObserved, kinds }: DiagnosisInput['counts']): Habits {
  const known = new Map<string, Kind>()
  for (const { service, vendor, eventType, valueClass, count, hours } of kinds) {
    const id = toId(toNameKey(service), vendor, eventType, valueClass)
    const kind = known.get(id) ?? { count: 0, hours: 0 }
    known.set(id, { count: kind.count + count, hours: kind.hours + hours })
  }
  const find = ({ reporter, key, entry }: Observation): Kind | undefined => {
    if (known.size === 0 || hoursObserved < MIN_HOURS) return undefined
    const valueClass = toValueClass(entry.newValue)
    return (
      known.get(toId(reporter, entry.vendor, entry.eventType, valueClass)) ??
      known.get(toId(key, entry.vendor, entry.eventType, valueClass))
    )
  }
  return {
    isHabit(observation) {
      if (repeatsByTheHour(observation)) return true
      const kind = find(observation)
      if (!kind || kind.hours < MIN_HOURS || kind.hours / hoursObserved < HABITUAL_SHARE) return false
      return toPerHour(observation) < MUCH_MORE * (kind.count / kind.hours)
    },
    toShare(observation) {
      return Math.min(1, (find(observation)?.hours ?? 0) / Math.max(1, hoursObserved))
    },
  }
}

function repeatsByTheHour({ entry, firstMs, lastMs }: Observation): boolean {
  return entry.count >= MIN_REPEATS && (lastMs - firstMs) / (entry.count - 1) >= MIN_GAP_MS
}

function toPerHour({ entry, firstMs, lastMs }: Observation): number {
  return entry.count / Math.max(1, (lastMs - firstMs) / 3_600_000)
}

function toId(key: string, vendor: string, eventType: EventType, valueClass: string): string {
  return `${key}\0${vendor}\0${eventType}\0${valueClass}`
}
