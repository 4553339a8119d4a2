import type { ReceiverType } from '../integration-type.ts'
import { pagerduty } from './pagerduty.ts'
import type { Receiver } from './receiver.ts'

export const RECEIVERS: Readonly<Record<ReceiverType, Receiver>> = { pagerduty }
