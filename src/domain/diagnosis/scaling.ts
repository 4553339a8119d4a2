import type { WindowEntry } from '../window/window.ts'
import type { Former, Observation } from './model.ts'

const AUTOSCALER = /(?:^|[-/])(?:hpa|keda-hpa|vpa)(?:$|[-/])|autoscal/i

/** Whether replicas were added or taken away. */
export function isScaling({ entry }: Observation): boolean {
  return entry.eventType === 'scale_event'
}

/** Whether an autoscaler did so, in answer to load. */
export function isAutoscaling(observation: Observation): boolean {
  return isScaling(observation) && AUTOSCALER.test(observation.entry.entity)
}

/** Whether whoever scaled is no controller that reacts: a person, or a tool that keeps a desired state. */
export function isByHand(observation: Observation): boolean {
  const { vendor, actor } = observation.entry
  return isScaling(observation) && !isAutoscaling(observation) && (actor !== null || vendor !== 'kubernetes')
}

/** Whether fewer are left, as far as both counts are known. */
export function isLess(former: Former | undefined, count: string | null): boolean {
  return former !== undefined && count !== null && Number(count) < Number(former.value)
}

/** A part: neither none, nor all, nor what stands for on. */
const PART = /^(?!(?:0|100) ?%?$|1$)\d+(?:\.\d+)? ?%?$/

/** Whether a flag was given to more or fewer than before, who had been and still are a part. */
export function isGradual({ oldValue, newValue }: WindowEntry): boolean {
  return PART.test(oldValue ?? '') && PART.test(newValue ?? '')
}
