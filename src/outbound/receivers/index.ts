import type { ReceiverType } from '../../domain/integration-type.ts'
import type { ReceiverClient } from './client.ts'
import { createPagerDuty, type PagerDutyApi } from './pagerduty.ts'

export type ReceiverClients = Readonly<Record<ReceiverType, ReceiverClient>>

/** A client for each kind of receiver. */
export function createReceivers({ pagerDuty }: { readonly pagerDuty: PagerDutyApi }): ReceiverClients {
  return { pagerduty: createPagerDuty(pagerDuty) }
}
