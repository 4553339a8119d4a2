import { tryGetContext } from 'hono/context-storage'

/** Requests made to the stores on one request's account. */
export type StoreCalls = { postgres: number; redis: number }

type Counting = { readonly Variables: { readonly storeCalls: StoreCalls } }

/** Counts a request to a store on the account of the request that is being handled, if any. */
export function countCall(store: keyof StoreCalls): void {
  const calls = tryGetContext<Counting>()?.get('storeCalls')
  if (calls) calls[store] += 1
}

/** Has the runtime let this work end, although the request that is being handled, if any, is answered before. */
export function seeThrough(work: Promise<unknown>): void {
  tryGetContext()?.executionCtx.waitUntil(work)
}

type Someone = { readonly tenantId: string }

type Reading = { readonly Variables: { readonly keyHash?: string; readonly principal?: Someone; readonly session?: Someone } }

/** Who reads by the request that is being handled: a tenant, or a key that is not known yet; `undefined` where something is written. */
export function findReader(tenantOfKey: ReadonlyMap<string, string>): string | undefined {
  const c = tryGetContext<Reading>()
  if (!c || (c.req.method !== 'GET' && c.req.path !== '/mcp')) return undefined
  const { tenantId } = c.get('principal') ?? c.get('session') ?? {}
  const hash = c.get('keyHash')
  return tenantId ?? (hash === undefined ? undefined : (tenantOfKey.get(hash) ?? hash))
}
