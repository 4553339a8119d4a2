import { tryGetContext } from 'hono/context-storage'

/** Requests made to the stores on one request's account. */
export type StoreCalls = { postgres: number; redis: number }

type Counting = { readonly Variables: { readonly storeCalls: StoreCalls } }

/** Counts a request to a store on the account of the request that is being handled, if any. */
export function countCall(store: keyof StoreCalls): void {
  const calls = tryGetContext<Counting>()?.get('storeCalls')
  if (calls) calls[store] += 1
}
