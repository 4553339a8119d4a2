import { bodyLimit } from 'hono/body-limit'
import { csrf } from 'hono/csrf'
import { createMiddleware } from 'hono/factory'
import { serveAssets } from '#dashboard-assets'
import type { Chance, Clock, Database, Deps, Logging, Memory, People, RateLimits, Signing } from '../deps.ts'
import { AppError } from '../domain/errors.ts'
import { limitRate } from '../http/auth.ts'
import { answerPageError } from './error-page.tsx'
import type { PageContext, PageEnv, Session } from './page-env.ts'
import { PAGE_HEADERS } from './page-headers.ts'
import { createPageRouter, toAppContext } from './page-request.ts'
import { agentPages } from './pages/agents.tsx'
import { changePages } from './pages/changes.tsx'
import { connectPages } from './pages/connect.tsx'
import { sharedPages } from './pages/incident-share.tsx'
import { incidentPages } from './pages/incidents.tsx'
import { searchPages } from './pages/search.tsx'
import { servicePages } from './pages/services.tsx'
import { settingsPages } from './pages/settings.tsx'
import { signInPages } from './pages/sign-in.tsx'
import { startPages } from './pages/start.tsx'
import { verdictPages } from './pages/verdict.tsx'
import { withQuery } from './parts.tsx'
import { enterTenant, identifyPerson, limitPerson, listEntrances } from './person.ts'
import { findSession } from './session.ts'

const MAX_FORM_BYTES = 65_536
/** A map of services as long as they get, or a delivery that somebody tries, as a form sends it. */
const MAX_MAP_FORM_BYTES = 163_840
const PRIVATE_PATHS = ['/', '/incidents/*', '/changes', '/services/*', '/connect/*', '/agents/*', '/settings/*', '/start', '/search']

const LIMIT_FORM = bodyLimit({ maxSize: MAX_FORM_BYTES, onError: refuseSize })
const LIMIT_MAP_FORM = bodyLimit({ maxSize: MAX_MAP_FORM_BYTES, onError: refuseSize })

/** The pages for people, over the same stores as the API. */
export function createDashboard(deps: Deps) {
  const router = createPageRouter()
  router.onError((error, c) => answerPageError(error, c, deps))
  serveAssets(router)
  for (const path of [...PRIVATE_PATHS, '/signin/*', '/signout', '/verdicts/*', '/shared/*']) {
    router.use(path, PAGE_HEADERS, csrf(), limitForm)
  }
  for (const path of PRIVATE_PATHS) router.use(path, requireSession(deps))

  router.get('/', (c) => c.redirect('/incidents', 303))
  router.route('/', signInPages(deps))
  router.route('/', incidentPages(deps))
  router.route('/', changePages(deps))
  router.route('/', servicePages(deps))
  router.route('/', searchPages(deps))
  router.route('/', connectPages(deps))
  router.route('/', agentPages(deps))
  router.route('/', settingsPages(deps))
  router.route('/', startPages(deps))
  router.route('/', verdictPages(deps))
  router.route('/', sharedPages(deps))
  for (const path of PRIVATE_PATHS) router.all(path, () => notFound())
  router.get(
    '*',
    (c, next) => (isForPeople(c) ? PAGE_HEADERS(c, next) : next()),
    (c, next) => (isForPeople(c) ? notFound() : next()),
  )
  return router
}

/** Whether a path that nothing answers was followed by a browser: an API's client gets a problem. */
function isForPeople(c: PageContext): boolean {
  return !c.req.path.startsWith('/v1/') && (c.req.header('Accept') ?? '').includes('text/html')
}

function notFound(): never {
  throw new AppError('not_found', 'There is no such page.')
}

type SessionDeps = Database & Chance & Clock & Signing & People & RateLimits & Logging & Memory

/**
 * Lets in whoever brings a session of ours, or is the only tenant's person whom Cloudflare Access vouches for; whether the session
 * lives is asked with what the page reads.
 */
const requireSession = (deps: SessionDeps) =>
  createMiddleware<PageEnv>(async (c, next) => {
    const found = await findSession(c, deps.sessionSecret(), deps.now())
    const session = found && 'keyHash' in found ? found : await findPersonsSession(deps, c, found)
    if (!session) {
      const { pathname, search } = new URL(c.req.url)
      const wanted = c.req.method === 'GET' && pathname !== '/' ? pathname + search : undefined
      return c.redirect(withQuery('/signin', { next: wanted }), 303)
    }
    c.set('session', session)
    if ('keyHash' in session) await limitRate(deps, toAppContext(c), 'readonly', session.keyHash)
    return await next()
  })

/** A person's session holds only beside an assertion about that person, and is opened by one where there is no doubt about the tenant. */
async function findPersonsSession(deps: SessionDeps, c: PageContext, found: Session | undefined): Promise<Session | undefined> {
  const email = await identifyPerson(deps, c)
  if (email === undefined) return undefined
  await limitPerson(deps, c, email)
  if (found && 'email' in found && found.email === email) return found
  if (c.req.method !== 'GET') return undefined
  const [{ tenantId }, ...others] = await listEntrances(deps, email)
  return others.length === 0 ? await enterTenant(deps, c, email, tenantId) : undefined
}

const limitForm = createMiddleware<PageEnv>((c, next) =>
  (/^\/settings\/integrations\/[^/]+$|^\/connect\/[^/]+\/try$/.test(c.req.path) ? LIMIT_MAP_FORM : LIMIT_FORM)(c, next),
)

function refuseSize(): never {
  throw new AppError('payload_too_large', 'The form holds too much.')
}
