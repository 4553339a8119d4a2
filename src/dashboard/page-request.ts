import { Hono } from 'hono'
import type { BatchDatabase, Database } from '../deps.ts'
import { AppError } from '../domain/errors.ts'
import { type AnyId, parseId, type TenantId } from '../domain/ids.ts'
import { toStorableText } from '../domain/text.ts'
import type { AppContext } from '../http/env.ts'
import type { Trail } from '../store/audit.ts'
import { type Db, inOneRequest } from '../store/postgres.ts'
import { getSignedIn, type SignedIn, toSessionActor } from '../store/sessions.ts'
import type { WindowReader } from '../store/state-windows.ts'
import type { PageContext, PageEnv } from './page-env.ts'

/** The same context as the API's code takes it. */
export function toAppContext(c: PageContext): AppContext {
  // A page's request carries all that the API's does, and more.
  return c as unknown as AppContext
}

/** On whose behalf a page changes something, for the audit. */
export function toPageTrail(c: PageContext): Trail {
  return { actor: toSessionActor(c.var.principal), requestId: c.get('requestId') }
}

/** On whose behalf a page reads a window. */
export function toReader(c: PageContext): WindowReader {
  const { session } = c.var
  return 'email' in session ? { tenantId: session.tenantId } : { keyHash: session.keyHash }
}

/** A router of pages. */
export function createPageRouter(): Hono<PageEnv> {
  return new Hono<PageEnv>()
}

/**
 * Reads what a page shows, at the same time as whether its session still lives: what `read` asks of Postgres travels with that
 * question. Throws `unauthorized` when it is over, whatever was read, and `forbidden` for a viewer’s form.
 */
export async function readPage<T>(c: PageContext, { db }: BatchDatabase, read: (db: Db, tenantId: TenantId) => Promise<T>): Promise<T> {
  const { session } = c.var
  const together = inOneRequest(db)
  const [caller, page] = await Promise.allSettled([getSignedIn(together, session.tenantId, session), read(together, session.tenantId)])
  if (caller.status === 'rejected') throw caller.reason
  admit(c, caller.value)
  if (page.status === 'rejected') throw page.reason
  return page.value
}

/** Makes sure, before anything is changed, that the session still lives and may change things. */
export async function requireManager(c: PageContext, { db }: Database): Promise<SignedIn> {
  const { session } = c.var
  return admit(c, await getSignedIn(db, session.tenantId, session))
}

/** Notes whom the request acts as. A viewer sends no forms. */
function admit(c: PageContext, principal: SignedIn): SignedIn {
  c.set('principal', principal)
  if (principal.keyType === 'viewer' && c.req.method !== 'GET' && c.req.method !== 'HEAD') {
    throw new AppError('forbidden', 'You are signed in as a viewer, who looks at everything and changes nothing.')
  }
  return principal
}

/** The id in the page's path; anything that is not one of ours is `not_found`. */
export function getId<Id extends AnyId>(c: PageContext, what: string): Id {
  const id = parseId<Id>(c.req.param('id') ?? '')
  if (id === undefined) throw new AppError('not_found', `There is no such ${what}.`)
  return id
}

export type Form = Readonly<Record<string, string>>

/** The text fields of a posted form, trimmed. */
export async function readForm(c: PageContext): Promise<Form> {
  const body = await c.req.parseBody()
  return Object.fromEntries(Object.entries(body).flatMap(([name, value]) => (typeof value === 'string' ? [[name, value.trim()]] : [])))
}

/** A path of this site that a form or a link named; `otherwise` when it names anything else. */
export function toOwnPath(text: string | undefined, otherwise: string): string {
  return text !== undefined && /^\/(?![/\\])[^\\\s]*$/.test(text) ? text : otherwise
}

const MAX_ASKED = 200

/** A text that a page's address asks for, as far as links may repeat it; `undefined` where it is blank. */
export function readText(c: PageContext, name: string): string | undefined {
  return (
    toStorableText(c.req.query(name)?.trim() ?? '')
      .slice(0, MAX_ASKED)
      .toWellFormed() || undefined
  )
}
