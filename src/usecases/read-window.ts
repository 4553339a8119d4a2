import type { Deps } from '../deps.ts'
import { setBounded } from '../domain/bounded-map.ts'
import { AppError } from '../domain/errors.ts'
import type { ServiceId, TenantId } from '../domain/ids.ts'
import { buildWindow, coversAll, planRepair, type StateWindow, type WindowCopy } from '../domain/state-window.ts'
import { type Principal, toPrincipal } from '../store/api-keys.ts'
import { findStoredWindow, readWindowCopy, repairWindowCopy, type StoredWindow, type WindowId } from '../store/state-windows.ts'
import { clearRepair } from '../store/window-repairs.ts'

export type WindowRequest = {
  readonly keyHash: string
  readonly serviceId: ServiceId
  /** ISO 8601 in UTC, microseconds; `undefined` is now. */
  readonly asOf: string | undefined
  /** Keeps work alive after the answer. */
  readonly defer: (work: Promise<unknown>) => void
}

export type WindowResult = { readonly principal: Principal; readonly serviceName: string; readonly window: StateWindow }

const NOTHING: WindowCopy = new Map()

/**
 * A service's state window. Postgres says which changes are live, Redis at the same time what each says and how often it
 * happened; where the copy falls short, Postgres answers alone and the copy is repaired after the answer. Throws
 * `unauthorized`, `forbidden` for a key that may not read, and `not_found`.
 */
export async function readWindow(deps: Deps, { keyHash, serviceId, asOf, defer }: WindowRequest): Promise<WindowResult> {
  const { stored, copy } = await readBoth(deps, keyHash, serviceId, asOf)
  const principal = toPrincipal(stored.caller)
  if (principal.keyType !== 'readonly') throw new AppError('forbidden', 'a read-only key is required')
  if (!stored.service) throw new AppError('not_found', 'no such service')

  if (copy && asOf === undefined) defer(repair(deps, { tenantId: principal.tenantId, serviceId }, stored, copy))
  return { principal, serviceName: stored.service.name, window: buildWindow(stored.lives, copy ?? NOTHING, stored.now) }
}

/** Makes a window's copy agree with Postgres. Throws when either store is out of reach. */
export async function repairWindow(deps: Deps, { tenantId, serviceId }: WindowId): Promise<void> {
  const copy = await readWindowCopy(deps.redis, { tenantId, serviceId })
  const stored = await findStoredWindow(deps.db, { tenantId }, serviceId, { asOf: undefined, withText: true })
  const plan = planRepair(stored.lives, copy, stored.now)
  if (plan) await repairWindowCopy(deps.redis, { tenantId, serviceId }, plan, stored.now)
  // What was left alone because merges may have been under way is for the next run.
  if (!plan || plan.write.every(({ totals }) => totals)) await clearRepair(deps.db, tenantId, serviceId, stored.now)
}

async function readBoth(deps: Deps, keyHash: string, serviceId: ServiceId, asOf: string | undefined) {
  if (asOf !== undefined)
    return { stored: await findStoredWindow(deps.db, { keyHash }, serviceId, { asOf, withText: true }), copy: undefined }

  const digest = findStoredWindow(deps.db, { keyHash }, serviceId, { asOf, withText: false })
  const [stored, copy] = await Promise.all([digest, readCopyOf(deps, keyHash, serviceId, digest)])
  if (stored.lives.length === 0 || (copy && coversAll(stored.lives, copy))) return { stored, copy }
  return { stored: await findStoredWindow(deps.db, { keyHash }, serviceId, { asOf, withText: true }), copy }
}

/** The copy, read beside the digest once the isolate has seen the key; `undefined` when Redis does not answer. */
async function readCopyOf(
  deps: Deps,
  keyHash: string,
  serviceId: ServiceId,
  digest: Promise<StoredWindow>,
): Promise<WindowCopy | undefined> {
  const tenantId = deps.tenantOfKey.get(keyHash) ?? (await learnTenant(deps, keyHash, digest))
  if (tenantId === undefined) return undefined
  try {
    return await readWindowCopy(deps.redis, { tenantId, serviceId })
  } catch {
    deps.log('window_copy_unreadable', { tenant_id: tenantId, service_id: serviceId })
    return undefined
  }
}

async function learnTenant({ tenantOfKey }: Deps, keyHash: string, digest: Promise<StoredWindow>): Promise<TenantId | undefined> {
  const { caller } = await digest
  if (caller.tenant_id === null) return undefined
  const { tenantId } = toPrincipal(caller)
  setBounded(tenantOfKey, keyHash, tenantId)
  return tenantId
}

async function repair(deps: Deps, window: WindowId, stored: StoredWindow, copy: WindowCopy): Promise<void> {
  const plan = planRepair(stored.lives, copy, stored.now)
  if (!plan) return
  try {
    await repairWindowCopy(deps.redis, window, plan, stored.now)
  } catch {
    deps.log('window_repair_failed', { tenant_id: window.tenantId, service_id: window.serviceId })
  }
}
