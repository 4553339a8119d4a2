import { SAMPLE_ENVIRONMENT } from './environment.ts'
import type { ContextEvent } from './event.ts'
import { toNameKey } from './service-name.ts'

/** That a service asked for a flag: whom the flag's changes concern. */
export type Evaluation = { readonly service: string; readonly flag: string }

/** They report evaluations, never changes; under a name of their own they do not tell whose. */
const EVALUATORS: readonly string[] = ['flagd', 'openfeature']

/** Whether a vendor's flag changes are evaluations of what somebody changed elsewhere. */
export const isEvaluationVendor = (vendor: string): boolean => EVALUATORS.includes(toNameKey(vendor))

/** No service's name key has a colon beside letters. */
export const FLAG_PREFIX = 'flag:'

/** The name under which a flag's changes join the windows of those that evaluate it. */
export function toFlagKey(flag: string): string {
  return `${FLAG_PREFIX}${flag.normalize('NFC')}`
}

/** Whether flags are told of by the flag service itself, which names no service that they concern. */
export function isFlagService(serviceName: string, vendor: string): boolean {
  return toNameKey(serviceName).includes(toNameKey(vendor))
}

/** The evaluation that an event reports by itself: flagd's and OpenFeature's, where they name the client as the service. A sample's is none. */
export function evaluationOf({ eventType, vendor, serviceName, entity, environment }: ContextEvent): Evaluation | undefined {
  if (eventType !== 'flag_change' || !isEvaluationVendor(vendor) || environment === SAMPLE_ENVIRONMENT) return undefined
  return EVALUATORS.some((name) => toNameKey(serviceName).includes(name)) ? undefined : { service: serviceName, flag: entity }
}
