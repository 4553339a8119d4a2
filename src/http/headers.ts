import { cors } from 'hono/cors'
import { createMiddleware } from 'hono/factory'
import { secureHeaders } from 'hono/secure-headers'
import type { AppContext, AppEnv } from './env.ts'

/** What data and pages alike tell a browser. */
export const FOR_BROWSERS = {
  strictTransportSecurity: 'max-age=31536000; includeSubDomains',
  xFrameOptions: 'DENY',
  xDownloadOptions: false,
  xPermittedCrossDomainPolicies: false,
  xXssProtection: false,
  xDnsPrefetchControl: false,
} as const

/** What every answer tells a browser that comes across it, unless its handler knows better: it is data, not a page. */
export const SECURITY_HEADERS = secureHeaders({
  contentSecurityPolicy: { defaultSrc: ["'none'"], frameAncestors: ["'none'"] },
  ...FOR_BROWSERS,
  originAgentCluster: false,
  crossOriginOpenerPolicy: false,
  overwrite: false,
})

const READS: readonly string[] = ['GET', 'HEAD', 'OPTIONS']

/** Lets the pages of these origins read, with a key they bring; nothing else, and no cookies. */
export function allowOrigins(origins: readonly string[]) {
  const allow = cors({
    origin: [...origins],
    allowMethods: ['GET', 'HEAD'],
    allowHeaders: ['Authorization'],
    exposeHeaders: ['X-Request-Id', 'Retry-After', 'RateLimit-Policy'],
    maxAge: 600,
  })
  // A sender of CloudEvents asks with the same method whether it may send.
  const isRead = (c: AppContext) => READS.includes(c.req.method) && c.req.header('WebHook-Request-Origin') === undefined
  return createMiddleware<AppEnv>((c, next) => (isRead(c) ? allow(c, next) : next()))
}
