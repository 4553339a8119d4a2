/** The Worker's bindings as wrangler hands them over: variables and secrets. */
export type Bindings = {
  readonly DATABASE_URL?: string
  readonly DATABASE_ENDPOINT?: string
  readonly UPSTASH_REDIS_REST_URL?: string
  readonly UPSTASH_REDIS_REST_TOKEN?: string
  readonly SWEEP_REQUESTS?: string
}

export type Config = {
  readonly database: { readonly url: string; readonly endpoint: string | undefined; readonly timeoutMs: number }
  readonly redis: { readonly url: string; readonly token: string; readonly timeoutMs: number }
  readonly sweepRequests: number
}

const DATABASE_TIMEOUT_MS = 2_400
const REDIS_TIMEOUT_MS = 300

/** Reads the bindings once; throws when one is unreadable, or missing without a default. */
export function readConfig(bindings: Bindings): Config {
  return {
    database: {
      url: required(bindings, 'DATABASE_URL'),
      endpoint: bindings.DATABASE_ENDPOINT || undefined,
      timeoutMs: DATABASE_TIMEOUT_MS,
    },
    redis: {
      url: required(bindings, 'UPSTASH_REDIS_REST_URL'),
      token: required(bindings, 'UPSTASH_REDIS_REST_TOKEN'),
      timeoutMs: REDIS_TIMEOUT_MS,
    },
    sweepRequests: count(bindings, 'SWEEP_REQUESTS', 1_000),
  }
}

function count(bindings: Bindings, name: keyof Bindings, byDefault: number): number {
  const text = bindings[name]
  if (!text) return byDefault
  const value = Number(text)
  if (Number.isInteger(value) && value > 0) return value
  throw new Error(`${name} must be a whole number above 0, not "${text}"`)
}

function required(bindings: Bindings, name: keyof Bindings): string {
  const value = bindings[name]
  if (!value) throw new Error(`${name} is not set: add it with "wrangler secret put ${name}"`)
  return value
}
