import { deleteCookie, getSignedCookie, setSignedCookie } from 'hono/cookie'
import { SESSION_DAYS } from '../config.ts'
import { parseId, type SessionId, type TenantId } from '../domain/ids.ts'
import type { PageContext, Session } from './page-env.ts'

const COOKIE = 'noctuary_session'
const MAX_AGE_SECONDS = SESSION_DAYS * 86_400
const FORMAT = /^2\.([0-9a-f]{64})\.([0-9a-f-]{36})\.([0-9a-f-]{36})\.(\d{10})$/

/** Only ever sent to this very host, over TLS (browsers take 127.0.0.1 for safe), and to no script. */
const OPTIONS = { prefix: 'host', path: '/', secure: true, httpOnly: true, sameSite: 'Lax' } as const

/** Gives the browser a signed cookie that stands for this session, for a week. */
export async function startSession(c: PageContext, secret: string, { keyHash, tenantId, id }: Session, now: Date): Promise<void> {
  const value = `2.${keyHash}.${tenantId}.${id}.${toSeconds(now)}`
  await setSignedCookie(c, COOKIE, value, secret, { ...OPTIONS, maxAge: MAX_AGE_SECONDS })
}

/** The session that came with the request, if its signature is ours and its week is not over. */
export async function findSession(c: PageContext, secret: string, now: Date): Promise<Session | undefined> {
  const value = await getSignedCookie(c, secret, COOKIE, 'host')
  const [, keyHash, tenant, session, signedInAt] = FORMAT.exec(value || '') ?? []
  const tenantId = parseId<TenantId>(tenant ?? '')
  const id = parseId<SessionId>(session ?? '')
  if (keyHash === undefined || tenantId === undefined || id === undefined) return undefined
  return toSeconds(now) - Number(signedInAt) <= MAX_AGE_SECONDS ? { keyHash, tenantId, id } : undefined
}

/** Takes the session's cookie back. */
export function forgetSession(c: PageContext): void {
  deleteCookie(c, COOKIE, OPTIONS)
}

function toSeconds(instant: Date): number {
  return Math.floor(instant.getTime() / 1_000)
}
