import type { Clock, Database, Deps, Logging, Memory, People, RateLimits } from '../../deps.ts'
import { isWellFormedKey } from '../../domain/access/api-key.ts'
import { AppError } from '../../domain/errors.ts'
import { sha256Hex } from '../../domain/hash.ts'
import { parseId, type SessionId, type TenantId, toId } from '../../domain/ids.ts'
import { readNetwork, refuseStranger } from '../../http/limits.ts'
import type { Principal } from '../../store/api-keys.ts'
import { findMemberships, type Membership } from '../../store/people.ts'
import { endSession, openSession } from '../../store/sessions.ts'
import { getFirstSteps } from '../../store/tenants.ts'
import { renderPage } from '../layout.tsx'
import type { PageContext } from '../page-env.ts'
import { createPageRouter, readForm, toAppContext, toOwnPath } from '../page-request.ts'
import { Notice, Outside } from '../parts.tsx'
import { enterTenant, identifyPerson } from '../person.ts'
import { findSession, forgetSession, startSession } from '../session.ts'

/** Signing in with a key that reads, or as a person whom Cloudflare Access vouches for; and out again. */
export const signInPages = (deps: Deps) =>
  createPageRouter()
    .get('/signin', async (c) => {
      deps.sessionSecret()
      const { next, done } = c.req.query()
      return renderSignIn(c, deps, { next: toOwnPath(next, '/incidents'), done, person: await findPerson(deps, c) })
    })
    .post('/signin/person', async (c) => {
      await limitAttempts(deps, c)
      const { tenant, next } = await readForm(c)
      const email = await identifyPerson(deps, c)
      const tenantId = parseId<TenantId>(tenant ?? '')
      if (email === undefined || tenantId === undefined) throw new AppError('forbidden', 'Nobody vouches for you here. Sign in with a key.')
      await enterTenant(deps, c, email, tenantId)
      return c.redirect(toOwnPath(next, '/incidents'), 303)
    })
    .post('/signin', async (c) => {
      const secret = deps.sessionSecret()
      await limitAttempts(deps, c)
      const { key = '', next } = await readForm(c)
      const path = toOwnPath(next, '/incidents')
      if (!isWellFormedKey(key)) {
        return renderSignIn(c, deps, {
          next: path,
          problem: 'That is not a key of ours. Is it whole? Keys begin with noc_ro_ or noc_view_.',
          status: 400,
        })
      }
      const session = { keyHash: await sha256Hex(key), id: toId<SessionId>(deps.newUuid()) }
      refuseStranger(deps, toAppContext(c))
      const principal = await findOpener(deps, session, c.get('requestId'))
      if (!principal) return renderSignIn(c, deps, { next: path, problem: 'This key is unknown or revoked.', status: 401 })
      if (principal.keyType === 'ingest') {
        return renderSignIn(c, deps, {
          next: path,
          problem: 'That is an ingest key, which only sends events. Use a read-only key, or a viewer’s.',
          status: 403,
        })
      }
      c.set('principal', { ...principal, keyType: principal.keyType, email: undefined })
      await startSession(c, secret, { ...session, tenantId: principal.tenantId }, deps.now())
      return c.redirect(path === '/incidents' && (await isNew(deps, principal.tenantId)) ? '/connect' : path, 303)
    })
    .post('/signout', async (c) => {
      const session = await findSession(c, deps.sessionSecret(), deps.now())
      if (session) await endSession(deps.db, session.tenantId, session, c.get('requestId'))
      forgetSession(c)
      return c.redirect('/signin?done=signed_out', 303)
    })

type SignInOptions = {
  readonly next: string
  readonly done?: string | undefined
  readonly problem?: string
  readonly person?: Person | undefined
  readonly status?: 200 | 400 | 401 | 403
}

function renderSignIn(c: PageContext, { now }: Clock, { next, done, problem, person, status = 200 }: SignInOptions) {
  const title = 'Sign in'
  return renderPage(
    c,
    { title, now: now(), status },
    <>
      <Notice done={done} />
      {person && <Entrances person={person} next={next} />}
      <SignInForm next={next} problem={problem} />
    </>,
  )
}

/** Whom Cloudflare Access vouches for, and who lists them. */
type Person = { readonly email: string; readonly memberships: readonly Membership[] }

/** What is not known of a person now, or is no good, leaves the key. */
async function findPerson(deps: Database & People, c: PageContext): Promise<Person | undefined> {
  try {
    const email = await identifyPerson(deps, c)
    return email === undefined ? undefined : { email, memberships: await findMemberships(deps.db, email) }
  } catch {
    return undefined
  }
}

const Entrances = ({ person: { email, memberships }, next }: { readonly person: Person; readonly next: string }) => (
  <div class="prose">
    <h2>{email}</h2>
    {memberships.length === 0 && (
      <p class="quiet">Nobody lists you here yet. Whoever manages your tenant does that under Settings, People.</p>
    )}
    {memberships.map(({ tenantId, name }) => (
      <form method="post" action="/signin/person">
        <input type="hidden" name="tenant" value={tenantId} />
        <input type="hidden" name="next" value={next} />
        <button type="submit" class="first">
          Enter <Outside>{name}</Outside>
        </button>
      </form>
    ))}
  </div>
)

/** Asks for a key. */
export const SignInForm = ({ next, problem }: { readonly next: string; readonly problem?: string | undefined }) => (
  <div class="prose">
    <h1>Sign in</h1>
    <p class="quiet">What changed around your services, when, and what to do about it.</p>
    {problem !== undefined && (
      <p class="notice bad" role="alert" id="problem">
        {problem}
      </p>
    )}
    <form method="post" action="/signin" class="fields tall">
      <input type="hidden" name="next" value={next} />
      <div class="field">
        <label for="key">Read-only API key</label>
        <input
          id="key"
          name="key"
          type="password"
          required
          autofocus
          autocomplete="current-password"
          spellcheck={false}
          maxlength={128}
          placeholder="noc_ro_…"
          aria-describedby={problem === undefined ? 'key-hint' : 'problem key-hint'}
          aria-invalid={problem === undefined ? undefined : 'true'}
        />
        <p class="hint" id="key-hint">
          A viewer’s key does, too, to look at everything. You stay signed in for a week on this browser, or until the key is revoked.
        </p>
      </div>
      <div>
        <button type="submit" class="first">
          Sign in
        </button>
      </div>
    </form>
    <p class="small quiet">
      No key? Whoever runs this installation makes one with <code>npm run tenant</code>; whoever is signed in, under Settings.
    </p>
  </div>
)

/** Whether nothing delivers yet; a store that fails now says nothing of it. */
async function isNew({ db }: Database, tenantId: TenantId): Promise<boolean> {
  try {
    const { hasEvent, hasIntegration } = await getFirstSteps(db, tenantId)
    return !hasEvent && !hasIntegration
  } catch {
    return false
  }
}

type KeySession = Parameters<typeof openSession>[1]

async function findOpener(
  { db, knownCallers, now }: Database & Memory & Clock,
  session: KeySession,
  requestId: string,
): Promise<Principal | undefined> {
  if (knownCallers.get(session.keyHash, now().getTime()) === 'unknown') return undefined
  try {
    return await openSession(db, session, requestId)
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== 'unauthorized') throw error
    knownCallers.set(session.keyHash, 'unknown', now().getTime())
    return undefined
  }
}

/** Refuses an address that tries too often. A limiter that fails limits nothing. */
async function limitAttempts({ signInLimit, log }: RateLimits & Logging, c: PageContext): Promise<void> {
  const { limiter, perMinute } = signInLimit
  if (!limiter) return
  let isWithin = true
  try {
    isWithin = (await limiter.limit({ key: readNetwork(c) ?? 'unknown' })).success
  } catch {
    log('rate_limiter_failed', { request_id: c.get('requestId') })
  }
  if (!isWithin) throw new AppError('rate_limited', `There are ${perMinute} tries a minute. Wait a moment, then try again.`)
}
