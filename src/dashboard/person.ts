import { decode, verifyWithJwks } from 'hono/utils/jwt/jwt'
import type { Chance, Clock, Database, Logging, People, RateLimits, Signing } from '../deps.ts'
import { toEmail } from '../domain/access/person.ts'
import { AppError } from '../domain/errors.ts'
import { type SessionId, type TenantId, toId } from '../domain/ids.ts'
import { findMemberships, type Membership } from '../store/people.ts'
import { openPersonsSession } from '../store/sessions.ts'
import type { PageContext, Session } from './page-env.ts'
import { startSession } from './session.ts'

const ASSERTION = 'Cf-Access-Jwt-Assertion'
const ALGORITHM = 'RS256'

/**
 * The e-mail address of whom Cloudflare Access vouches for; `undefined` where the pages are not behind it, or it says nothing.
 * Throws `forbidden` for an assertion that is no good, `unavailable` while it cannot be checked.
 */
export async function identifyPerson({ access }: People, c: PageContext): Promise<string | undefined> {
  const assertion = c.req.header(ASSERTION)
  if (!access || assertion === undefined) return undefined
  const keys = [...(await access.readKeys(readKeyId(assertion)))]
  const verification = { iss: access.origin, aud: access.audience }
  const payload = await verifyWithJwks(assertion, { keys, allowedAlgorithms: [ALGORITHM], verification }).catch(() => undefined)
  // An assertion without an end would be good for ever; one of a service's names nobody.
  const email = typeof payload?.exp === 'number' && typeof payload['email'] === 'string' ? toEmail(payload['email']) : undefined
  if (email === undefined) throw refused()
  return email
}

function readKeyId(assertion: string): string {
  try {
    const { alg, kid } = decode(assertion).header
    if (alg === ALGORITHM && typeof kid === 'string') return kid
  } catch {
    // Refused below.
  }
  throw refused()
}

const refused = () => new AppError('forbidden', 'Cloudflare Access does not vouch for you here. Sign in there again.')

type EnterDeps = Database & Chance & Clock & Signing & RateLimits & Logging

/** Opens a session for a person with a tenant that lists them. Throws `forbidden` when it does not. */
export async function enterTenant(deps: EnterDeps, c: PageContext, email: string, tenantId: TenantId): Promise<Session> {
  const session = { email, tenantId, id: toId<SessionId>(deps.newUuid()) }
  await openPersonsSession(deps.db, tenantId, session, c.get('requestId'))
  await startSession(c, deps.sessionSecret(), session, deps.now())
  return session
}

/** The tenants that a person may enter. Throws `forbidden` when there is none. */
export async function listEntrances({ db }: Database, email: string): Promise<readonly [Membership, ...Membership[]]> {
  const [first, ...others] = await findMemberships(db, email)
  if (first) return [first, ...others]
  throw new AppError('forbidden', `Nobody lists ${email} here. Whoever manages your tenant does that under Settings, People.`)
}

/** Refuses a person who asks too often. A limiter that fails limits nothing. */
export async function limitPerson({ rateLimits, log }: RateLimits & Logging, c: PageContext, email: string): Promise<void> {
  const { limiter, perMinute } = rateLimits.viewer
  let isWithin = true
  try {
    isWithin = (await limiter?.limit({ key: `person ${email}` }))?.success ?? true
  } catch {
    log('rate_limiter_failed', { request_id: c.get('requestId') })
  }
  if (!isWithin) throw new AppError('rate_limited', `There are ${perMinute} requests a minute. Wait a moment, then try again.`)
}
