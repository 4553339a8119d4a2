import { deleteCookie, getSignedCookie, setSignedCookie } from 'hono/cookie'
import { SESSION_DAYS } from '../config.ts'
import { parseId, type SessionId, type TenantId } from '../domain/ids.ts'
import type { SessionHolder } from '../store/sessions.ts'
import type { PageContext, Session } from './page-env.ts'

const COOKIE = 'noctuary_session'
const MAX_AGE_SECONDS = SESSION_DAYS * 86_400
/** Of a key, with its hash; of a person, with the address in percent-encoding. */
const FORMAT =
  /^(?:2\.(?<keyHash>[0-9a-f]{64})|3\.(?<email>[^.]{3,1000}))\.(?<tenant>[0-9a-f-]{36})\.(?<session>[0-9a-f-]{36})\.(?<at>\d{10})$/

/** Only ever sent to this very host, over TLS (browsers take 127.0.0.1 for safe), and to no script. */
const OPTIONS = { prefix: 'host', path: '/', secure: true, httpOnly: true, sameSite: 'Lax' } as const

/** Gives the browser a signed cookie that stands for this session, for a week. */
export async function startSession(c: PageContext, secret: string, session: Session, now: Date): Promise<void> {
  const holder = 'email' in session ? `3.${encodeURIComponent(session.email).replaceAll('.', '%2E')}` : `2.${session.keyHash}`
  const value = `${holder}.${session.tenantId}.${session.id}.${toSeconds(now)}`
  await setSignedCookie(c, COOKIE, value, secret, { ...OPTIONS, maxAge: MAX_AGE_SECONDS })
}

/** The session that came with the request, if its signature is ours and its week is not over. */
export async function findSession(c: PageContext, secret: string, now: Date): Promise<Session | undefined> {
  const value = await getSignedCookie(c, secret, COOKIE, 'host')
  const { keyHash, email, tenant, session, at } = FORMAT.exec(value || '')?.groups ?? {}
  const tenantId = parseId<TenantId>(tenant ?? '')
  const id = parseId<SessionId>(session ?? '')
  if (tenantId === undefined || id === undefined || toSeconds(now) - Number(at) > MAX_AGE_SECONDS) return undefined
  const holder: SessionHolder = keyHash === undefined ? { email: decodeURIComponent(email ?? '') } : { keyHash }
  return { ...holder, tenantId, id }
}

/** Takes the session's cookie back. */
export function forgetSession(c: PageContext): void {
  deleteCookie(c, COOKIE, OPTIONS)
}

function toSeconds(instant: Date): number {
  return Math.floor(instant.getTime() / 1_000)
}
