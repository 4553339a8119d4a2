import type { Context } from 'hono'
import type { SessionId, TenantId } from '../domain/ids.ts'
import type { AppEnv } from '../http/env.ts'

/** Whom a browser signed in as. The key itself is not in it, and whether it lives is asked at each request. */
export type Session = {
  /** SHA-256 of the API key, hexadecimal. */
  readonly keyHash: string
  readonly tenantId: TenantId
  readonly id: SessionId
}

/** What a page's request carries through its handlers. */
export type PageEnv = {
  Variables: AppEnv['Variables'] & {
    /** Whose cookie came with the request; its key may be dead by now. */
    session: Session
    /** What allows this answer's own stylesheet and script, and no other. */
    secureHeadersNonce: string
  }
}

export type PageContext = Context<PageEnv>
