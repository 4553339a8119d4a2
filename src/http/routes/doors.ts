import type { Deps } from '../../deps.ts'
import type { DoorType } from '../../domain/integration-type.ts'
import type { createRouter } from '../context.ts'
import { pagerDutyRoutes } from './pagerduty.ts'

/** Where the deliveries of each kind of sender come in. */
export const DOOR_ROUTES: Readonly<Record<DoorType, (deps: Deps) => ReturnType<typeof createRouter>>> = { pagerduty: pagerDutyRoutes }
