import type { Child } from 'hono/jsx'
import type { Deps, Linking } from '../../deps.ts'
import { AppError } from '../../domain/errors.ts'
import type { Verdict } from '../../domain/incident/quality.ts'
import { readVerdictLink, type VerdictLink } from '../../domain/telling/verdict-link.ts'
import { deferTo } from '../../http/context.ts'
import { SOURCE } from '../../store/targets.ts'
import { findLinkedAnswer, type LinkedAnswer } from '../../store/verdicts.ts'
import { judge } from '../../usecases/decide-incident.ts'
import { renderPage } from '../layout.tsx'
import type { PageContext } from '../page-env.ts'
import { createPageRouter, toAppContext } from '../page-request.ts'
import { Outside, Sentence } from '../parts.tsx'

const PATH = '/verdicts/:token'

/** Where the links in messages lead: whoever has one needs no session, and a GET changes nothing. */
export const verdictPages = (deps: Deps) =>
  createPageRouter()
    .get(PATH, async (c) => {
      const link = await readLink(deps, c, deps.now())
      if (typeof link === 'string') return renderRefusal(c, deps.now(), link)
      return renderAnswer(c, deps.now(), link, await findLinkedAnswer(deps.db, link), 200)
    })
    .post(PATH, async (c) => {
      const link = await readLink(deps, c, deps.now())
      if (typeof link === 'string') return renderRefusal(c, deps.now(), link)
      try {
        await judge(deps, link.tenantId, link.incidentId, { verdict: link.verdict, link }, toLinkTrail(c, link), deferTo(toAppContext(c)))
      } catch (error) {
        if (!(error instanceof AppError) || (error.code !== 'conflict' && error.code !== 'not_found')) throw error
        return renderAnswer(c, deps.now(), link, await findLinkedAnswer(deps.db, link), 409)
      }
      return c.redirect(c.req.path, 303)
    })

async function readLink({ linkSecret }: Linking, c: PageContext, now: Date): Promise<VerdictLink | Refusal> {
  return linkSecret === undefined ? 'foreign' : await readVerdictLink(linkSecret, c.req.param('token') ?? '', now)
}

/** Nobody is signed in: what is known is whose message the link was in. */
function toLinkTrail(c: PageContext, { target }: VerdictLink) {
  return { actor: target === SOURCE ? 'message_link' : `message_link:${target}`, requestId: c.get('requestId') }
}

type Refusal = 'foreign' | 'expired' | 'gone'

const REFUSALS: Readonly<Record<Refusal, { readonly title: string; readonly text: string; readonly status: 404 | 410 }>> = {
  foreign: { title: 'This link leads nowhere', text: 'It is not one of this installation’s, or not whole: copy all of it.', status: 404 },
  expired: {
    title: 'This link has expired',
    text: 'Links in messages work for a week. The incident’s page still takes a verdict.',
    status: 410,
  },
  gone: {
    title: 'The answer is gone',
    text: 'Its incident was deleted, or the receiver whose message had this link was removed.',
    status: 410,
  },
}

function renderRefusal(c: PageContext, now: Date, refusal: Refusal) {
  const { title, text, status } = REFUSALS[refusal]
  return render(c, now, title, <p>{text}</p>, status)
}

const render = (c: PageContext, now: Date, title: string, content: Child, status: 200 | 404 | 409 | 410) =>
  renderPage(
    c,
    { title, now, status },
    <div class="prose">
      <h1>{title}</h1>
      {content}
    </div>,
  )

const BUTTONS: Readonly<Record<Verdict, { readonly title: string; readonly button: string; readonly effect: string }>> = {
  confirmed: { title: 'Was this answer right?', button: 'Confirm the answer', effect: 'The answer is marked as confirmed' },
  rejected: { title: 'Was this answer wrong?', button: 'Reject the answer', effect: 'The answer is marked as wrong' },
}

const SAID: Readonly<Record<Verdict, string>> = { confirmed: 'confirmed', rejected: 'marked as wrong' }

/** What the link is about, what it will do and its one button; or why it does nothing any more. */
function renderAnswer(c: PageContext, now: Date, link: VerdictLink, answer: LinkedAnswer | undefined, status: 200 | 409) {
  if (!answer) return renderRefusal(c, now, 'gone')
  const { title, button, effect } = BUTTONS[link.verdict]
  const more = <a href={`/incidents/${link.incidentId}`}>The incident’s page</a>
  const said = answer.verdict === null ? '' : ` The answer is ${SAID[answer.verdict]}.`
  if (answer.isUsed)
    return render(
      c,
      now,
      'This link was used',
      <p>
        {`It works once.${said}`} {more} takes another verdict.
      </p>,
      status,
    )
  if (!answer.isStillSaid) {
    const text = 'A later look at the incident blames something else, so this answer is judged no more.'
    return render(
      c,
      now,
      'The answer has changed',
      <p>
        {text} {more} has the new one.
      </p>,
      409,
    )
  }
  return render(
    c,
    now,
    title,
    <>
      <p class="quiet">
        <Outside>{answer.service}</Outside>
        {answer.title !== null && (
          <>
            : <Outside>{answer.title}</Outside>
          </>
        )}
      </p>
      <p class="answer">
        <Sentence>{answer.hypothesis}</Sentence>
      </p>
      {answer.recommendedAction !== null && (
        <p class="action">
          <Sentence>{answer.recommendedAction}</Sentence>
        </p>
      )}
      <p>
        {effect}, later diagnoses learn from it, and the audit notes that it came by a link in a message.{said} This link works once.
      </p>
      <form method="post" action={c.req.path}>
        <button type="submit" class="first">
          {button}
        </button>
      </form>
    </>,
    status,
  )
}
