import { HTTPException } from 'hono/http-exception'
import type { Clock, Logging } from '../deps.ts'
import { AppError, type ErrorCode } from '../domain/errors.ts'
import { logBug, logUnavailable, PROBLEMS, toAppError } from '../http/problem.ts'
import { renderPage } from './layout.tsx'
import type { PageContext } from './page-env.ts'
import { SignInForm } from './pages/sign-in.tsx'
import { forgetSession } from './session.ts'

const TITLES: Readonly<Record<ErrorCode, string>> = {
  invalid_request: 'That did not work',
  unauthorized: 'Your session has ended',
  forbidden: 'That is not allowed',
  not_found: 'Nothing here',
  method_not_allowed: 'That did not work',
  conflict: 'That is not possible',
  payload_too_large: 'That is too much',
  unsupported_media_type: 'That did not work',
  rate_limited: 'Too many requests',
  unavailable: 'Not available just now',
}

/** Answers any thrown error as a page. */
export function answerPageError(error: unknown, c: PageContext, { log, now }: Clock & Logging): Response | Promise<Response> {
  const known = error instanceof HTTPException && error.status === 403 ? notFromHere() : toAppError(error)
  if (!known) logBug(error, c, log)
  const code = known?.code
  if (code === 'unavailable') logUnavailable(error, c, log)
  if (code === 'unauthorized') return answerSignedOut(c, now())
  const { status, retryAfterSeconds } = code === undefined ? { status: 500 as const, retryAfterSeconds: undefined } : problemOf(code)
  if (retryAfterSeconds !== undefined) c.header('Retry-After', String(retryAfterSeconds))
  return renderPage(
    c,
    { title: code === undefined ? 'Something went wrong' : TITLES[code], now: now(), status, tab: c.get('session') && 'incidents' },
    <div class="empty stack">
      <h1>{code === undefined ? 'Something went wrong on our side' : TITLES[code]}</h1>
      <p>{known?.message ?? 'It is logged. The number below helps to find it.'}</p>
      <p>{c.get('session') ? <a href="/incidents">Back to the incidents</a> : <a href="/signin">Sign in with a key</a>}</p>
      <p class="quiet small">
        Request <code>{c.get('requestId')}</code>
      </p>
    </div>,
  )
}

function problemOf(code: ErrorCode): { readonly status: (typeof PROBLEMS)[ErrorCode]['status']; readonly retryAfterSeconds?: number } {
  return PROBLEMS[code]
}

function notFromHere(): AppError {
  return new AppError('forbidden', 'This form was not sent from a page of this site. Go back, reload the page and try again.')
}

function answerSignedOut(c: PageContext, now: Date): Response | Promise<Response> {
  forgetSession(c)
  const { pathname, search } = new URL(c.req.url)
  return renderPage(
    c,
    { title: TITLES.unauthorized, now, status: 401 },
    <SignInForm
      next={c.req.method === 'GET' ? pathname + search : '/incidents'}
      problem="Your session has ended: its key was revoked, or you are not listed any more."
    />,
  )
}
