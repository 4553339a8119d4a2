import type { Clock, Copies, KnownWindow, Logging, Memory, Stores } from '../deps.ts'
import { assertMayRead } from '../domain/access/api-key.ts'
import { setBounded } from '../domain/bounded-map.ts'
import { AppError } from '../domain/errors.ts'
import type { ServiceId, TenantId } from '../domain/ids.ts'
import { type CopyRepair, countMembers, coversAll, isSettled, planRepair, type WindowCopy } from '../domain/window/copy.ts'
import { boundWindow, buildWindow, type StateWindow, weighWindow } from '../domain/window/window.ts'
import { type Principal, toPrincipal } from '../store/api-keys.ts'
import { findNews, findStoredWindow, type StoredWindow, type WindowId, type WindowReader } from '../store/state-windows.ts'
import { countCopyMembers, readCopyOfLives, readWindowCopy, readWrittenCopy, repairWindowCopy } from '../store/window-copies.ts'
import { clearRepair } from '../store/window-repairs.ts'

type ReadDeps = Stores & Clock & Memory & Logging

export type WindowRequest = {
  readonly reader: WindowReader
  readonly serviceId: ServiceId
  /** ISO 8601 in UTC, microseconds; `undefined` is now. */
  readonly asOf: string | undefined
  /** Keeps work alive after the answer. */
  readonly defer: (work: Promise<unknown>) => void
}

/** `principal`: whose key it was. */
export type WindowResult = { readonly principal: Principal | undefined; readonly serviceName: string; readonly window: StateWindow }

/** Changes of which a window is as much work as one piece should be. */
const MANY = 300

const NOTHING: WindowCopy = new Map()

/** How long a window is answered from memory, as long as Postgres says that it is unchanged, before all is compared again. */
const KNOWN_FOR_MS = 60_000

/**
 * A service's state window. Postgres says which changes are live, Redis at the same time what each says and how often it
 * happened; where the copy falls short, Postgres answers alone and the copy is repaired after the answer. A window that
 * this isolate found to agree lately it answers again, once Postgres has said that nothing is new. Throws
 * `unauthorized`, `forbidden` for a key that may not read, and `not_found`.
 */
export async function readWindow(deps: ReadDeps, request: WindowRequest): Promise<WindowResult> {
  const { reader } = request
  const known = 'keyHash' in reader ? recall(deps, reader.keyHash, request) : undefined
  if (!known || !('keyHash' in reader)) return readAnew(deps, request)

  const found = await findNews(deps.db, reader.keyHash, request.serviceId, known.seen)
  if (!('isUnchanged' in found)) return readAnew(deps, request, found)
  const principal = toPrincipal(found.caller)
  checkCopyLater(deps, request, { tenantId: principal.tenantId, serviceId: request.serviceId }, known)
  return { principal, serviceName: known.serviceName, window: known.window }
}

/** Makes a window's copy agree with Postgres. Throws when either store is out of reach. */
export async function repairWindow(deps: Stores & Logging, { tenantId, serviceId }: WindowId): Promise<void> {
  const copy = await readWrittenCopy(deps.redis, { tenantId, serviceId })
  const stored = await findStoredWindow(deps.db, { tenantId }, serviceId, { asOf: undefined, withText: true })
  const plan = planRepair(stored.lives, copy, stored.now)
  await carryOut(deps, { tenantId, serviceId }, plan, stored.now)
}

/** What was left alone because merges may have been under way is for the next run. */
async function carryOut({ db, redis, counts }: Stores & Logging, window: WindowId, plan: CopyRepair | undefined, now: Date): Promise<void> {
  if (plan) await repairWindowCopy(redis, window, plan, now)
  if (plan) counts.count('noctuary_windows_repaired_total')
  if (!plan || plan.write.every(({ totals }) => totals)) await clearRepair(db, window.tenantId, window.serviceId, now)
}

function recall(
  { tenantOfKey, knownWindows, now }: Memory & Clock,
  keyHash: string,
  { serviceId, asOf }: WindowRequest,
): KnownWindow | undefined {
  const tenantId = tenantOfKey.get(keyHash)
  const known = tenantId === undefined || asOf !== undefined ? undefined : knownWindows.get(toMemoryKey({ tenantId, serviceId }))
  return known && now().getTime() - known.verifiedAt.getTime() < KNOWN_FOR_MS ? known : undefined
}

function toMemoryKey({ tenantId, serviceId }: WindowId): string {
  return `${tenantId} ${serviceId}`
}

async function readAnew(deps: ReadDeps, request: WindowRequest, digest?: StoredWindow): Promise<WindowResult> {
  const verifiedAt = deps.now()
  const { stored, copy, members } = await readBoth(deps, request, digest)
  const { reader } = request
  const principal = 'tenantId' in reader ? undefined : toPrincipal(stored.caller)
  if (principal) assertMayRead(principal.keyType)
  if (!stored.service) throw new AppError('not_found', 'no such service')

  const serviceName = stored.service.name
  const isLong = stored.lives.length > MANY
  if (isLong) await deps.breathe()
  const whole = buildWindow(stored.lives, copy ?? NOTHING, stored.now)
  if (isLong) await deps.breathe()
  const window = boundWindow(stored.isPart ? { ...whole, isPart: true } : whole)
  if (copy && request.asOf === undefined) {
    const id = { tenantId: stored.service.tenantId, serviceId: request.serviceId }
    const plan = planRepair(stored.lives, copy, stored.now)
    if (plan) request.defer(repairAsPlanned(deps, id, plan, stored.now))
    else if (isSettled(stored.lives, stored.now)) {
      const known = { serviceName, window, seen: stored.seen, members: members ?? countMembers(copy), verifiedAt }
      deps.knownWindows.set(toMemoryKey(id), known, weighWindow(window))
    }
  }
  return { principal, serviceName, window }
}

type Both = { readonly stored: StoredWindow; readonly copy: WindowCopy | undefined; readonly members?: number }

async function readBoth(deps: ReadDeps, request: WindowRequest, known: StoredWindow | undefined): Promise<Both> {
  const { reader, serviceId, asOf } = request
  const find = (withText: boolean) => findStoredWindow(deps.db, reader, serviceId, { asOf, withText })
  if (asOf !== undefined) return { stored: await find(true), copy: undefined }
  // Not waited for where there is none: what is asked for together travels together.
  const tenantId = findTenantOfPart(deps, request)
  const part = tenantId && (await readPart(deps, request, tenantId))
  if (part) return part

  const digest = known ? Promise.resolve(known) : find(false)
  const [stored, copy] = await Promise.all([digest, readCopyOf(deps, reader, serviceId, digest)])
  if (stored.isPart && stored.service) setBounded(deps.partialWindows, toMemoryKey({ tenantId: stored.service.tenantId, serviceId }), true)
  if (stored.lives.length === 0 || (copy && coversAll(stored.lives, copy))) return { stored, copy }
  return { stored: await find(true), copy }
}

/** Whose the window is, where it was a part when it was read last. */
function findTenantOfPart({ tenantOfKey, partialWindows }: Memory, { reader, serviceId }: WindowRequest): TenantId | undefined {
  const tenantId = 'tenantId' in reader ? reader.tenantId : tenantOfKey.get(reader.keyHash)
  return tenantId && partialWindows.has(toMemoryKey({ tenantId, serviceId })) ? tenantId : undefined
}

/**
 * A window that was a part lately: first all that Postgres says of what is shown, then what the copy says of that. `undefined` for
 * any other, and where it is none any more or the copy is out of reach.
 */
async function readPart(deps: ReadDeps, { reader, serviceId }: WindowRequest, tenantId: TenantId): Promise<Both | undefined> {
  const key = toMemoryKey({ tenantId, serviceId })
  deps.knownWindows.delete(key)
  const stored = await findStoredWindow(deps.db, reader, serviceId, { asOf: undefined, withText: true, isSampled: true })
  if (!stored.isPart) deps.partialWindows.delete(key)
  if (!stored.isPart) return undefined
  try {
    return { stored, ...(await readCopyOfLives(deps.redis, { tenantId, serviceId }, stored.lives)) }
  } catch {
    return undefined
  }
}

/** The copy, read beside the digest once the isolate knows whose it is; `undefined` when Redis does not answer. */
async function readCopyOf(
  deps: Copies & Memory & Logging,
  reader: WindowReader,
  serviceId: ServiceId,
  digest: Promise<StoredWindow>,
): Promise<WindowCopy | undefined> {
  const tenantId = 'tenantId' in reader ? reader.tenantId : await learnTenant(deps, reader.keyHash, digest)
  if (tenantId === undefined) return undefined
  try {
    return await readWindowCopy(deps.redis, { tenantId, serviceId })
  } catch {
    deps.log('window_copy_unreadable', { tenant_id: tenantId, service_id: serviceId })
    return undefined
  }
}

async function learnTenant({ tenantOfKey }: Memory, keyHash: string, digest: Promise<StoredWindow>): Promise<TenantId | undefined> {
  const known = tenantOfKey.get(keyHash)
  if (known !== undefined) return known
  const { caller } = await digest
  if (caller.tenant_id === null) return undefined
  const { tenantId } = toPrincipal(caller)
  setBounded(tenantOfKey, keyHash, tenantId)
  return tenantId
}

/** Takes nothing back on the word of a copy that may have been read late. */
async function repairAsPlanned(deps: Stores & Logging, window: WindowId, plan: CopyRepair, now: Date): Promise<void> {
  try {
    await (plan.write.some(({ takesBack }) => takesBack) ? repairWindow(deps, window) : carryOut(deps, window, plan, now))
  } catch {
    deps.log('window_repair_failed', { tenant_id: window.tenantId, service_id: window.serviceId })
  }
}

/** Longer than a look at a copy takes, which its deadline ends. */
const CHECK_MS = 1_000

/** Repairs the copy of a window that was answered from memory, should Redis have lost part of it. Reads at a time share a look. */
function checkCopyLater(deps: ReadDeps, { defer }: WindowRequest, window: WindowId, known: KnownWindow): void {
  const key = toMemoryKey(window)
  const startedAt = deps.copyChecks.get(key)
  if (startedAt && deps.now().getTime() - startedAt.getTime() < CHECK_MS) return
  setBounded(deps.copyChecks, key, deps.now())
  defer(checkCopy(deps, window, known).finally(() => deps.copyChecks.delete(key)))
}

async function checkCopy(deps: Stores & Memory & Logging, window: WindowId, { members }: KnownWindow): Promise<void> {
  try {
    if ((await countCopyMembers(deps.redis, window)) === members) return
    deps.knownWindows.delete(toMemoryKey(window))
    await repairWindow(deps, window)
  } catch {
    deps.log('window_copy_unreadable', { tenant_id: window.tenantId, service_id: window.serviceId })
  }
}
