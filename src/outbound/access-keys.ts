import { readBoundedText } from '../bounded-body.ts'
import { AppError } from '../domain/errors.ts'

/** Cloudflare Access's team, by where it signs, and the application that its assertions are for. */
export type AccessTeam = { readonly origin: string; readonly audience: string }

/** A public key as RFC 7517 has it. */
type AccessKey = JsonWebKey & { readonly kid: string }

/** The keys by which a team signs, of which one may have that id. Throws `unavailable` while they cannot be read. */
export type ReadAccessKeys = (keyId: string) => Promise<readonly AccessKey[]>

// https://developers.cloudflare.com/cloudflare-one/access-controls/applications/http-apps/authorization-cookie/validating-json/
const KEYS_PATH = '/cdn-cgi/access/certs'
const TIMEOUT_MS = 3_000
/** Some ten times what a team has. */
const MAX_KEYS_BYTES = 65_536
/** A team signs by another key every six weeks, and shows it before it does. */
const KEYS_LIFE_MS = 3_600_000
/** A key that is not known has the keys read again, but not by whoever makes names up. */
const REREAD_MS = 60_000
const RETRY_MS = 5_000

/** Reads the keys of a team when they are first needed, and keeps them. */
export function createAccessKeys({ origin }: AccessTeam, now: () => Date): ReadAccessKeys {
  let known: { readonly keys: readonly AccessKey[]; readonly readMs: number } | undefined
  let rereadMs = Number.NEGATIVE_INFINITY
  let failedMs = Number.NEGATIVE_INFINITY

  const read = async (nowMs: number): Promise<void> => {
    const keys = await fetchKeys(origin)
    if (keys) known = { keys, readMs: nowMs }
    else failedMs = nowMs
  }

  return async (keyId) => {
    const nowMs = now().getTime()
    if (!known && nowMs - failedMs >= RETRY_MS) await read(nowMs)
    else if (known && (nowMs - known.readMs >= KEYS_LIFE_MS || !known.keys.some(({ kid }) => kid === keyId))) {
      if (nowMs - Math.max(known.readMs, rereadMs) >= REREAD_MS) {
        rereadMs = nowMs
        await read(nowMs)
      }
    }
    if (!known) throw new AppError('unavailable', 'Cloudflare Access does not say by which keys it signs; try again')
    return known.keys
  }
}

async function fetchKeys(origin: string): Promise<readonly AccessKey[] | undefined> {
  try {
    const response = await fetch(`${origin}${KEYS_PATH}`, { redirect: 'manual', signal: AbortSignal.timeout(TIMEOUT_MS) })
    if (response.status !== 200) return undefined
    // Of anything else no keys come.
    const { keys } = JSON.parse((await readBoundedText(response, MAX_KEYS_BYTES)) ?? '') as { readonly keys: readonly AccessKey[] }
    return keys.filter(({ kid, kty }) => typeof kid === 'string' && kty === 'RSA')
  } catch {
    return undefined
  }
}
