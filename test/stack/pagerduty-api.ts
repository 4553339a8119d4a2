import { randomBytes } from 'node:crypto'
import { type Address, type Endpoint, type JsonReply, type JsonRequest, serveJson } from './json-server.ts'

/**
 * What befalls the next request of a method about an incident, once: whether it takes effect all the same, and what
 * the caller gets: a status, silence or a closed connection.
 */
export type PagerDutyFault = {
  readonly method: 'GET' | 'POST'
  readonly takes_effect: boolean
  readonly answer: number | 'hang' | 'hang_up'
  /** Sent as `ratelimit-reset`. */
  readonly reset_seconds?: number
}

type Note = {
  readonly id: string
  readonly user: { readonly id: string; readonly type: 'user_reference'; readonly summary: string }
  readonly channel: { readonly summary: string }
  readonly content: string
  readonly created_at: string
}

type Incident = { readonly notes: Note[]; faults: PagerDutyFault[] }

const NOTES_PATH = /^\/incidents\/([^/?]+)\/notes(?:\?.*)?$/
const FAULTS_PATH = /^\/stand-in\/incidents\/([^/?]+)\/faults$/
const ACCEPT = /^application\/vnd\.pagerduty\+json;\s*version=2$/
const TOKEN = /^Token token=(\S+)$/
const EMAIL = /^[^\s@]+@[^\s@]+\.[^\s@]+$/
const MAX_NOTES = 2_000
const RATE_LIMIT = 960

/**
 * A stand-in for the part of PagerDuty's REST API that deals with notes. It refuses what the real one refuses, in its
 * words, and keeps the notes in memory. Any token and incident id will do, except:
 * - tokens that begin with `bad` (401) or `readonly` (403 for a POST),
 * - `From` addresses at `unknown.example` (400),
 * - incident ids that begin with `PMISSING` or hold anything but letters, digits, `-` and `_` (404).
 *
 * `PUT /stand-in/incidents/{id}/faults` with a list of faults scripts what happens to the next requests.
 */
export function servePagerDuty(address: Address): Promise<Endpoint> {
  const incidents = new Map<string, Incident>()
  const incidentOf = (id: string): Incident => {
    const incident = incidents.get(id) ?? { notes: [], faults: [] }
    incidents.set(id, incident)
    return incident
  }

  return serveJson({ ...address, methods: ['GET', 'POST', 'PUT'] }, async (request): Promise<JsonReply> => {
    const scripted = FAULTS_PATH.exec(request.path)?.[1]
    if (scripted !== undefined && request.method === 'PUT') {
      // Only this project's own tests write faults.
      incidentOf(scripted).faults = [...(request.body as PagerDutyFault[])]
      return { status: 200, body: {} }
    }
    const id = NOTES_PATH.exec(request.path)?.[1]
    const refusal = refuse(request, id)
    if (refusal || id === undefined) return refusal ?? notFound()
    return respond(request, incidentOf(id))
  })
}

function respond(request: JsonRequest, incident: Incident): JsonReply {
  const fault = incident.faults.find(({ method }) => method === request.method)
  incident.faults = incident.faults.filter((each) => each !== fault)
  if (!fault) return perform(request, incident)
  if (fault.takes_effect) perform(request, incident)
  if (typeof fault.answer !== 'number') return fault.answer
  return toFaultReply(fault.answer, fault.reset_seconds)
}

function perform(request: JsonRequest, { notes }: Incident): JsonReply {
  if (request.method === 'GET') return { status: 200, body: { notes }, headers: rateLimit() }
  if (notes.length >= MAX_NOTES) return error(400, 2019, 'Product Limit Reached')
  const from = String(request.headers.from)
  const note: Note = {
    id: `P${randomBytes(6).toString('hex').toUpperCase()}`,
    user: { id: 'PXPGF42', type: 'user_reference', summary: from },
    channel: { summary: 'The PagerDuty website or APIs' },
    // Checked before: the body has a note with a content.
    content: (request.body as { readonly note: { readonly content: string } }).note.content,
    created_at: `${new Date().toISOString().slice(0, 19)}Z`,
  }
  notes.unshift(note)
  return { status: 200, body: { note }, headers: rateLimit() }
}

function refuse({ method, headers, body }: JsonRequest, id: string | undefined): JsonReply | undefined {
  const token = TOKEN.exec(headers.authorization ?? '')?.[1]
  if (token === undefined || token.startsWith('bad')) return error(401, 2006, 'Authentication failed')
  if (!ACCEPT.test(headers.accept ?? '')) return error(406, 2002, 'Arguments Caused Error', ['Accept must name version 2'])
  if (id === undefined || !/^[\w-]+$/.test(id) || id.startsWith('PMISSING')) return notFound()
  if (method === 'GET') return undefined
  if (method !== 'POST') return error(405, 2015, 'Invalid operation')
  if (token.startsWith('readonly')) return error(403, 2010, 'Access Denied')
  return refuseSender(headers.from) ?? refuseNote(headers['content-type'], body)
}

function refuseSender(from: string | undefined): JsonReply | undefined {
  if (!from) return error(400, 2016, `You must specify a user's email address in the "From" header to perform this action`)
  if (!EMAIL.test(from)) return error(400, 1028, 'Malformed "From" header')
  return from.endsWith('@unknown.example') ? error(400, 1008, 'Requester User Not Found') : undefined
}

function refuseNote(contentType: string | undefined, body: unknown): JsonReply | undefined {
  const { note } = (body ?? {}) as { readonly note?: { readonly content?: unknown } | null }
  const isNote = contentType?.startsWith('application/json') && typeof note?.content === 'string' && note.content.trim() !== ''
  return isNote ? undefined : error(400, 2001, 'Invalid Input Provided', ['Content cannot be empty.'])
}

function toFaultReply(status: number, resetSeconds: number | undefined): JsonReply {
  const headers = rateLimit(status === 429 ? 0 : undefined, resetSeconds)
  const body = status === 429 ? { error: { message: 'Rate Limit Exceeded', code: 2020 } } : { error: { message: 'scripted', code: 2000 } }
  return { status, body, headers }
}

const notFound = (): JsonReply => error(404, 2100, 'Not Found')

function error(status: number, code: number, message: string, errors: readonly string[] = []): JsonReply {
  return { status, body: { error: { message, code, ...(errors.length > 0 ? { errors } : {}) } }, headers: rateLimit() }
}

function rateLimit(remaining = RATE_LIMIT - 1, resetSeconds = 60): Readonly<Record<string, number>> {
  return { 'ratelimit-limit': RATE_LIMIT, 'ratelimit-remaining': remaining, 'ratelimit-reset': resetSeconds }
}
