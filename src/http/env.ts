import type { Context } from 'hono'
import type { RequestIdVariables } from 'hono/request-id'
import type { Chance } from '../deps.ts'
import type { ErrorCode } from '../domain/errors.ts'
import type { Principal } from '../store/api-keys.ts'
import type { StoreCalls } from '../store-calls.ts'
import type { LoggedDelivery } from '../usecases/door-request.ts'

/** What a request carries through its handlers. */
export type AppEnv = {
  Variables: RequestIdVariables & {
    /** SHA-256 of the request's API key, once its shape and checksum were found right. */
    keyHash: string
    /** Whom the request acts as, once a store has vouched for the key. */
    principal: Principal
    /** Whether a stranger's refusal is counted by who answered it. */
    isCounted?: boolean
    /** Where ids and secrets come from in a request that may be repeated. */
    chance?: Chance
    /** Why it was refused. */
    refusal?: ErrorCode
    /** What became of a delivery. */
    delivery?: LoggedDelivery
    /** When it came, in milliseconds. */
    startedAt: number
    /** Requests made to the stores on this request's account so far. */
    storeCalls: StoreCalls
  }
}

export type AppContext = Context<AppEnv>
