import type { z } from '@hono/zod-openapi'
import type { Clock, Deps, Memory } from '../../deps.ts'
import { isWellFormedKey, toKeyType } from '../../domain/access/api-key.ts'
import { isToken } from '../../domain/access/integration.ts'
import { setBounded } from '../../domain/bounded-map.ts'
import type { Door, DoorAnswer } from '../../domain/doors/door.ts'
import { DOORS } from '../../domain/doors/index.ts'
import { AppError } from '../../domain/errors.ts'
import { sha256Hex } from '../../domain/hash.ts'
import { DOOR_TYPES, type DoorType } from '../../domain/integration-type.ts'
import { type DoorCredential, type DoorRequest, type ReadDelivery, readDoorBody } from '../../usecases/door-request.ts'
import { receiveDelivery, rehearseDelivery } from '../../usecases/receive-delivery.ts'
import { limitRate, readCredential } from '../auth.ts'
import { readBytes, readText } from '../body.ts'
import { createRouter, deferTo } from '../context.ts'
import type { AppContext } from '../env.ts'
import { enterAsTenant, judgeRefusal, limitEvents, refuseStranger } from '../limits.ts'
import { logBug, PROBLEMS, toAppError } from '../problem.ts'
import { type DoorPath, describeDoor, type Rehearsal } from './door-descriptions.ts'

/** Where the deliveries of one sender come in: with a header, with a token in the path, and at the paths that its own API has. */
function pathsOf(sender: DoorType): readonly DoorPath[] {
  const { fixedPaths = [] } = DOORS[sender]
  return [
    { path: `/in/${sender}`, isFixed: false, hasToken: false },
    { path: `/in/${sender}/{token}`, isFixed: false, hasToken: true },
    ...fixedPaths.map((path) => ({ path, isFixed: true, hasToken: path.includes('{token}') })),
  ]
}

/** The doors of all senders, as the registry has them. */
export const doorRoutes = (deps: Deps) => {
  const router = createRouter()
  for (const sender of DOOR_TYPES) {
    for (const place of pathsOf(sender)) {
      for (const operation of describeDoor(sender, DOORS[sender], place)) router.openAPIRegistry.registerPath(operation)
      const path = place.path.replace('{token}', ':token')
      for (const one of [path, `${path}/`]) router.all(one, (c) => handle(deps, c, sender, place))
    }
  }
  return router
}

async function handle(deps: Deps, c: AppContext, sender: DoorType, place: DoorPath): Promise<Response> {
  const door = DOORS[sender]
  const methods = ['POST', ...(door.methods ?? [])]
  if (c.req.method === 'OPTIONS' && door.greeting && c.req.header('WebHook-Request-Origin') !== undefined)
    return c.body(null, 200, { ...door.greeting })
  const isWrongMethod = !methods.includes(c.req.method)
  if (isWrongMethod) c.header('Allow', methods.join(', '))
  const wrongMethod = isWrongMethod ? new AppError('method_not_allowed', `this is a door: send ${methods.join(' or ')}`) : undefined
  let shown: DoorCredential | undefined
  let leave = () => {}
  try {
    const request = await readRequest(deps, c, sender, place, wrongMethod)
    shown = request.credential
    leave = enterAsTenant(deps, shown.hash)
    if (isRehearsal(c)) return c.json(toRehearsal(await rehearseDelivery(deps, request)), 200)
    const read = await receiveDelivery(deps, request)
    if (!deps.tenantOfKey.has(shown.hash)) setBounded(deps.tenantOfKey, shown.hash, read.tenantId)
    return toResponse(c, door.answer?.(read.signals, read.delivery) ?? { status: 202, body: '' }, {})
  } catch (error) {
    const judged = judgeRefusal(deps, c, error, !shown || !isLive(deps, shown.hash))
    // Of whom nobody knows there is no page to say it on, but they are told the same.
    if (wrongMethod && judged === error && toAppError(error)) throw wrongMethod
    return refuse(deps, c, door, judged)
  } finally {
    leave()
  }
}

/** Whoever asks for a rehearsal, however it is spelt, wants nothing stored. */
const isRehearsal = (c: AppContext) => !['0', 'false'].includes(c.req.query('dry') ?? '0')

/**
 * Takes a delivery apart. Throws for a credential that cannot be one; a body that cannot be read is the use case's to refuse, and
 * so is what comes by a wrong method, of which nothing is read.
 */
async function readRequest(
  deps: Deps,
  c: AppContext,
  sender: DoorType,
  { path, isFixed }: DoorPath,
  wrongMethod: AppError | undefined,
): Promise<DoorRequest> {
  const door = DOORS[sender]
  const shown = c.req.param('token') ?? readCredential(c) ?? (door.credentialHeader && c.req.header(door.credentialHeader))
  // Whoever shows nothing that could be good is not worth reading.
  const early = shown === undefined && door.credential ? undefined : await readDoorCredential(deps, c, shown)
  const { sent, body } = wrongMethod ? { sent: '', body: { refusal: wrongMethod } } : await readDelivery(c, door)
  const credential = early ?? (await readDoorCredential(deps, c, 'value' in body ? door.credential?.(body.value) : refuseBody(body)))
  return {
    sender,
    path: isFixed ? path : undefined,
    header: (name) => c.req.header(name),
    credential,
    sent,
    body,
    admit: (events) => limitEvents(deps, c, credential.hash, events),
    report: (outcome) => c.set('delivery', outcome),
    defer: deferTo(c),
  }
}

type Body = DoorRequest['body']

const refuseBody = ({ refusal }: Extract<Body, { refusal: AppError }>): never => {
  throw refusal
}

async function readDelivery(c: AppContext, door: Door): Promise<Pick<DoorRequest, 'sent' | 'body'>> {
  try {
    const isText = door.signatures === undefined && !door.mediaTypes.includes('protobuf')
    const sent = await (isText ? readText : readBytes)(c, door.maxBytes)
    return { sent, body: readDoorBody(door, (name) => c.req.header(name), sent) }
  } catch (error) {
    if (error instanceof AppError) return { sent: '', body: { refusal: error } }
    throw error
  }
}

async function readDoorCredential(deps: Deps, c: AppContext, text: string | undefined): Promise<DoorCredential> {
  if (text === undefined) {
    throw new AppError('unauthorized', 'API key is missing: send "Authorization: Bearer <key>", or the integration’s token')
  }
  const isInPath = c.req.param('token') !== undefined
  const whenDead = () =>
    isInPath ? new AppError('not_found', 'no such webhook') : new AppError('unauthorized', 'API key or token is unknown or revoked')
  const isKey = !isInPath && isWellFormedKey(text)
  if (!isKey && !isToken(text)) {
    refuseStranger(deps, c)
    throw whenDead()
  }
  let hash = deps.hashOfKey.get(text)
  if (hash === undefined) {
    hash = await sha256Hex(text)
    setBounded(deps.hashOfKey, text, hash)
  }
  if (!isLive(deps, hash)) refuseStranger(deps, c)
  if (deps.knownCallers.get(hash, deps.now().getTime()) === 'unknown') throw whenDead()
  await limitRate(deps, c, isKey ? toKeyType(text) : 'ingest', hash)
  return { kind: isKey ? 'key' : 'token', hash, whenDead }
}

/** Whether this isolate saw lately that a credential lives. */
function isLive({ knownCallers, knownIntegrations, now }: Memory & Clock, hash: string): boolean {
  const caller = knownCallers.get(hash, now().getTime())
  return caller === undefined ? knownIntegrations.has(hash) : caller !== 'unknown'
}

/** In the sender's own words where it has some, and as what it sends again where that is what should happen. */
function refuse(deps: Deps, c: AppContext, door: Door, error: unknown): Response {
  const known = toAppError(error)
  if (!known) logBug(error, c, deps.log)
  const refusal = known ?? new AppError('unavailable', 'something went wrong on our side; try again')
  const isBusy = refusal.code === 'rate_limited' && door.whenBusy === 503
  const told = isBusy ? new AppError('unavailable', refusal.message) : refusal
  if (!door.refusal) throw told
  const { status } = PROBLEMS[told.code]
  const retryAfter = told.code === 'unavailable' || told.code === 'rate_limited' ? PROBLEMS[told.code].retryAfterSeconds : undefined
  const answer = door.refusal(status, told.message, c.req.header('Content-Type'))
  return toResponse(c, answer, {
    ...(retryAfter !== undefined && { 'Retry-After': String(retryAfter) }),
    ...(answer.status === 401 && { 'WWW-Authenticate': 'Bearer' }),
  })
}

function toResponse(c: AppContext, { status, contentType, body }: DoorAnswer, headers: Readonly<Record<string, string>>): Response {
  for (const [name, value] of Object.entries(headers)) c.header(name, value)
  if (contentType !== undefined) c.header('Content-Type', contentType)
  // A door answers with statuses that have a body, or none.
  return c.newResponse(body === '' ? null : body, status as 200)
}

function toRehearsal({ signals }: ReadDelivery): z.infer<typeof Rehearsal> {
  const { events, alerts, isUnsupported } = signals
  const [ignored = null, invalid = null] = isUnsupported ? [null, signals.ignored] : [signals.ignored, signals.invalid]
  return { events: events.map((event) => ({ ...event })), alerts: alerts.map(({ sentAt: _, ...alert }) => alert), ignored, invalid }
}
