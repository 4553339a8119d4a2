import type { Context } from 'hono'
import type { TenantId } from '../domain/ids.ts'
import type { AppEnv } from '../http/env.ts'
import type { SessionRef, SignedIn } from '../store/sessions.ts'

/** Whom a browser signed in as. A key itself is not in it, and whether it lives, or its person is still listed, is asked at each request. */
export type Session = SessionRef & { readonly tenantId: TenantId }

/** What a page's request carries through its handlers. */
export type PageEnv = {
  Variables: Omit<AppEnv['Variables'], 'principal'> & {
    /** Whose session came with the request; it may be over by now. */
    session: Session
    /** Whom the request acts as, once a store has vouched for the session. */
    principal: SignedIn
    /** What allows this answer's own stylesheet and script, and no other. */
    secureHeadersNonce: string
  }
}

export type PageContext = Context<PageEnv>
