/** The Worker's bindings as wrangler hands them over: variables and secrets. */
export type Bindings = {
  readonly DATABASE_URL?: string
  readonly DATABASE_ENDPOINT?: string
  readonly UPSTASH_REDIS_REST_URL?: string
  readonly UPSTASH_REDIS_REST_TOKEN?: string
}

export type Config = {
  readonly database: { readonly url: string; readonly endpoint: string | undefined; readonly timeoutMs: number }
  readonly redis: { readonly url: string; readonly token: string; readonly timeoutMs: number }
}

const DATABASE_TIMEOUT_MS = 2_400
const REDIS_TIMEOUT_MS = 300

/** Reads the bindings once; throws when one that has no default is missing. */
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
  }
}

function required(bindings: Bindings, name: keyof Bindings): string {
  const value = bindings[name]
  if (!value) throw new Error(`${name} is not set: add it with "wrangler secret put ${name}"`)
  return value
}
