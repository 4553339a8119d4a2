import type { Clock, Database, Deps, Logging, RateLimits } from '../../deps.ts'
import { isWellFormedKey } from '../../domain/access/api-key.ts'
import { AppError } from '../../domain/errors.ts'
import { sha256, toHex } from '../../domain/hash.ts'
import { type SessionId, type TenantId, toId } from '../../domain/ids.ts'
import { readNetwork } from '../../http/limits.ts'
import type { Principal } from '../../store/api-keys.ts'
import { endSession, openSession, type SessionRef } from '../../store/sessions.ts'
import { getFirstSteps } from '../../store/tenants.ts'
import { renderPage } from '../layout.tsx'
import type { PageContext } from '../page-env.ts'
import { createPageRouter, readForm, toOwnPath } from '../page-request.ts'
import { Notice } from '../parts.tsx'
import { findSession, forgetSession, startSession } from '../session.ts'

/** Signing in with a read-only key, and out again. */
export const signInPages = (deps: Deps) =>
  createPageRouter()
    .get('/signin', (c) => {
      deps.sessionSecret()
      const { next, done } = c.req.query()
      return renderSignIn(c, deps, { next: toOwnPath(next, '/incidents'), done })
    })
    .post('/signin', async (c) => {
      const secret = deps.sessionSecret()
      await limitAttempts(deps, c)
      const { key = '', next } = await readForm(c)
      const path = toOwnPath(next, '/incidents')
      if (!isWellFormedKey(key)) {
        return renderSignIn(c, deps, {
          next: path,
          problem: 'That is not a key of ours. Is it whole? Keys begin with noc_ro_.',
          status: 400,
        })
      }
      const session = { keyHash: toHex(await sha256(key)), id: toId<SessionId>(deps.newUuid()) }
      const principal = await findOpener(deps, session, c.get('requestId'))
      if (!principal) return renderSignIn(c, deps, { next: path, problem: 'This key is unknown or revoked.', status: 401 })
      if (principal.keyType !== 'readonly') {
        return renderSignIn(c, deps, {
          next: path,
          problem: 'That is an ingest key, which only sends events. Use a read-only key.',
          status: 403,
        })
      }
      c.set('principal', principal)
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
  readonly status?: 200 | 400 | 401 | 403
}

function renderSignIn(c: PageContext, { now }: Clock, { next, done, problem, status = 200 }: SignInOptions) {
  const title = 'Sign in'
  return renderPage(
    c,
    { title, now: now(), status },
    <>
      <Notice done={done} />
      <SignInForm next={next} problem={problem} />
    </>,
  )
}

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
          You stay signed in for a week on this browser, or until the key is revoked.
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

async function findOpener({ db }: Database, session: SessionRef, requestId: string): Promise<Principal | undefined> {
  try {
    return await openSession(db, session, requestId)
  } catch (error) {
    if (error instanceof AppError && error.code === 'unauthorized') return undefined
    throw error
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
