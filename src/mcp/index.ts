import type { Deps } from '../deps.ts'
import { assertMayRead } from '../domain/access/api-key.ts'
import { AppError } from '../domain/errors.ts'
import { requireKey } from '../http/auth.ts'
import { readBody } from '../http/body.ts'
import { createRouter, deferTo, toTrail } from '../http/context.ts'
import type { AppContext } from '../http/env.ts'
import { logBug } from '../http/problem.ts'
import { getPrincipal } from '../store/api-keys.ts'
import type { Call } from './call.ts'
import { MCP_OPERATION } from './description.ts'
import { answerText } from './protocol.ts'

const PATH = MCP_OPERATION.path

/**
 * The MCP server, over Streamable HTTP without sessions or streams: a POST a message, answered as JSON.
 */
export const mcpRoutes = (deps: Deps) => {
  const router = createRouter()
  router.openAPIRegistry.registerPath(MCP_OPERATION)
  // Before the key: a page that was lured here learns nothing, not even whether it has one.
  router.use(PATH, async (c, next) => {
    const origin = c.req.header('Origin')
    if (origin !== undefined && !isOurs(deps, c, origin)) throw new AppError('forbidden', 'pages of other origins may not speak MCP here')
    await next()
  })
  router.post(PATH, requireKey(deps), async (c) => {
    const principal = await getPrincipal(deps.db, c.var.keyHash)
    c.set('principal', principal)
    assertMayRead(principal.keyType)
    const { text } = await readBody(c, { allowNdjson: false })
    const { status, body } = await answerText(toCall(deps, c), text, (name) => c.req.header(name)?.trim())
    return body === undefined ? c.body(null, status) : c.json(body, status)
  })
  router.all(PATH, (c) =>
    c.json({ jsonrpc: '2.0', error: { code: -32_000, message: 'Method not allowed' }, id: null }, 405, { Allow: 'POST' }),
  )
  return router
}

/**
 * Whether a page is one of this installation's. Without a public address, and on this machine, that is where the request went,
 * which a name that was rebound to this machine could make any: by that only certificates, and names of this machine itself, vouch.
 */
function isOurs({ publicUrl, corsOrigins }: Deps, c: AppContext, origin: string): boolean {
  if (corsOrigins.includes(origin)) return true
  const asked = new URL(c.req.url)
  const own = publicUrl === undefined || LOOPBACK.test(asked.hostname) ? asked : new URL(publicUrl)
  const isVouchedFor = publicUrl !== undefined || own.protocol === 'https:' || LOOPBACK.test(own.hostname)
  return isVouchedFor && own.origin === origin
}

const LOOPBACK = /^(?:localhost|127\.\d+\.\d+\.\d+|\[::1\])$/

function toCall(deps: Deps, c: AppContext): Call {
  const { principal, keyHash } = c.var
  return {
    deps,
    tenantId: principal.tenantId,
    mayChange: principal.keyType === 'readonly',
    keyHash,
    trail: toTrail(c),
    defer: deferTo(c),
    logBug: (error) => logBug(error, c, deps.log),
  }
}
