import { type Address, type Endpoint, type JsonReply, type JsonRequest, serveJson } from './json-server.ts'

/** What befalls the next message to a path, once: whether it arrives all the same, and what its sender gets. */
export type ReceiverFault = {
  readonly takes_effect: boolean
  /** A status, silence, or what Slack calls a refusal. */
  readonly answer: number | 'hang' | 'hang_up' | { readonly error: string }
  readonly headers?: Readonly<Record<string, string>>
}

export type TakenMessage = {
  readonly path: string
  readonly headers: JsonRequest['headers']
  readonly body: unknown
  /** What Slack calls it: when it came, in seconds, and its place. */
  readonly ts: string
}

type Receiver = { readonly taken: TakenMessage[]; faults: ReceiverFault[] }

/** What Slack's channels and threads hold. */
const SLACK_POSTS = '/slack-api/chat.postMessage'
/** A bot's token that may write, and may not read. */
const WRITING_TOKEN = 'Bearer xoxb-writes'

const SCRIPT = /^\/stand-in(\/.*)$/

/**
 * Stand-ins for those who are told, by the first part of their paths: `/slack/…`, `/slack-api/…`, `/teams/…`, `/discord/…`,
 * `/grafana/…`, `/webhook/…`. They refuse what the documentation of each says is refused and keep the rest.
 *
 * `PUT /stand-in/<path>` with a list of faults scripts what happens to the next messages, `GET` lists those that arrived.
 */
export function serveReceivers(address: Address): Promise<Endpoint> {
  const receivers = new Map<string, Receiver>()
  const receiverOf = (path: string): Receiver => {
    const receiver = receivers.get(path) ?? { taken: [], faults: [] }
    receivers.set(path, receiver)
    return receiver
  }
  return serveJson({ ...address, methods: ['GET', 'POST', 'PUT', 'PATCH'] }, async (request): Promise<JsonReply> => {
    const [path = ''] = request.path.split('?')
    const scripted = SCRIPT.exec(path)?.[1]
    if (scripted !== undefined) return script(receiverOf(scripted), request)
    const receiver = receiverOf(path)
    if (request.method === 'GET') return list(path.startsWith('/slack-api/') ? receiverOf(SLACK_POSTS) : receiver, request)
    return tell(path, receiver, request, receiverOf(SLACK_POSTS))
  })
}

function tell(path: string, receiver: Receiver, request: JsonRequest, slackPosts: Receiver): JsonReply {
  const refusal = refuse(request, slackPosts)
  if (refusal) return refusal
  const [fault] = receiver.faults.splice(0, 1)
  if (!fault || fault.takes_effect) take(receiver, request)
  if (!fault) return accept(path, receiver, request)
  if (typeof fault.answer === 'object') return { status: 200, body: { ok: false, ...fault.answer } }
  return typeof fault.answer === 'number'
    ? { status: fault.answer, body: { error: 'scripted' }, headers: fault.headers ?? {} }
    : fault.answer
}

function take({ taken }: Receiver, { path, headers, body }: JsonRequest): void {
  taken.push({ path, headers, body, ts: `${Math.floor(Date.now() / 1_000)}.${String(taken.length + 1).padStart(6, '0')}` })
}

function script(receiver: Receiver, { method, body }: JsonRequest): JsonReply {
  // Only this project's own tests write faults.
  if (method === 'PUT') receiver.faults = [...(body as ReceiverFault[])]
  return { status: 200, body: receiver.taken }
}

const kindOf = (path: string): string => path.split('/')[1] ?? ''

function accept(path: string, { taken }: Receiver, { body }: JsonRequest): JsonReply {
  switch (kindOf(path)) {
    case 'slack':
      return { status: 200, body: 'ok' }
    case 'slack-api':
      return {
        status: 200,
        body: { ok: true, channel: at(body, 'channel'), ts: at(body, 'ts') ?? taken.at(-1)?.ts },
      }
    case 'teams':
      return { status: 202, body: '' }
    case 'grafana':
      return { status: 200, body: { message: 'Annotation added', id: taken.length } }
    default:
      return { status: 200, body: { id: String(taken.length) } }
  }
}

/** Slack's messages, or Grafana's annotations with all of the wanted tags. */
function list(receiver: Receiver, request: JsonRequest): JsonReply {
  const { path } = request
  const { taken } = receiver
  if (kindOf(path) === 'slack-api') return listSlack(receiver, request)
  const tags = new URL(path, 'http://localhost').searchParams.getAll('tags')
  const found = taken.map(({ body }) => body).filter((body) => tags.every((tag) => (at(body, 'tags') as unknown[]).includes(tag)))
  return { status: 200, body: found }
}

const PAGE = 2

/** A channel's messages, newest first, or a thread's with the one it hangs on: in pages, as the documentation wants callers to expect. */
function listSlack({ taken }: Receiver, { path, headers }: JsonRequest): JsonReply {
  const { pathname, searchParams: asked } = new URL(path, 'http://localhost')
  if (headers.authorization === WRITING_TOKEN)
    return { status: 200, body: { ok: false, error: 'missing_scope', needed: 'channels:history' } }
  const [oldest, thread, start] = [Number(asked.get('oldest') ?? 0), asked.get('ts'), Number(asked.get('cursor') ?? 0)]
  const found = taken.filter(({ body, ts }) => {
    if (at(body, 'channel') !== asked.get('channel') || Number(ts) < oldest) return false
    return pathname.endsWith('history') ? at(body, 'thread_ts') === undefined : ts === thread || at(body, 'thread_ts') === thread
  })
  const page = (pathname.endsWith('history') ? found.toReversed() : found).slice(start, start + PAGE)
  const messages = page.map(({ body, ts }) => ({
    ts,
    text: at(body, 'text'),
    ...(asked.get('include_all_metadata') === 'true' && { metadata: at(body, 'metadata') }),
  }))
  const next = start + PAGE < found.length ? String(start + PAGE) : ''
  return { status: 200, body: { ok: true, messages, has_more: next !== '', response_metadata: { next_cursor: next } } }
}

const at = (value: unknown, name: string): unknown => (value as Readonly<Record<string, unknown>> | null)?.[name]

function refuse({ path, headers, body }: JsonRequest, slackPosts: Receiver): JsonReply | undefined {
  if (!headers['content-type']?.startsWith('application/json')) return { status: 400, body: 'invalid_payload' }
  const kind = kindOf(path)
  if (kind === 'slack') return refuseBlocks(body) ? { status: 400, body: 'invalid_blocks' } : undefined
  if (kind === 'slack-api') return refuseSlackCall(path, headers.authorization, body, slackPosts)
  if (kind === 'discord') return refuseDiscord(body)
  if (kind === 'teams') return refuseCard(body)
  if (kind === 'grafana') return refuseAnnotation(headers.authorization, body)
  return undefined
}

function refuseSlackCall(path: string, authorization: string | undefined, body: unknown, { taken }: Receiver): JsonReply | undefined {
  const error = (word: string): JsonReply => ({ status: 200, body: { ok: false, error: word } })
  if (!authorization?.startsWith('Bearer xoxb-')) return error('invalid_auth')
  if (typeof at(body, 'channel') !== 'string') return error('channel_not_found')
  const hasMessage = (ts: unknown) => taken.some((one) => one.ts === ts && at(one.body, 'channel') === at(body, 'channel'))
  if (path.includes('chat.update') && !hasMessage(at(body, 'ts'))) return error('message_not_found')
  if (at(body, 'thread_ts') !== undefined && !hasMessage(at(body, 'thread_ts'))) return error('thread_not_found')
  const metadata = at(body, 'metadata')
  if (metadata !== undefined && (typeof at(metadata, 'event_type') !== 'string' || typeof at(metadata, 'event_payload') !== 'object'))
    return error('invalid_metadata_format')
  return refuseBlocks(body) ? error('invalid_blocks') : undefined
}

/** Block Kit's limits: https://docs.slack.dev/reference/block-kit/blocks */
function refuseBlocks(body: unknown): boolean {
  const blocks = at(body, 'blocks')
  if (!Array.isArray(blocks) || blocks.length === 0 || blocks.length > 50) return true
  return blocks.some((block: { type?: string; text?: { type?: string; text?: string }; elements?: { text?: string }[] }) => {
    const length = block.text?.text?.length ?? 0
    if (block.type === 'header') return block.text?.type !== 'plain_text' || length < 1 || length > 150
    if (block.type === 'section') return length < 1 || length > 3_000
    if (block.type === 'context') return !block.elements || block.elements.length > 10
    return true
  })
}

function refuseDiscord(body: unknown): JsonReply | undefined {
  const content = at(body, 'content')
  if (typeof content === 'string' && content !== '' && content.length <= 2_000) return undefined
  return { status: 400, body: { code: 50035, message: 'Invalid Form Body' } }
}

function refuseCard(body: unknown): JsonReply | undefined {
  const [attachment] = (at(body, 'attachments') as unknown[] | undefined) ?? []
  const isCard =
    at(attachment, 'contentType') === 'application/vnd.microsoft.card.adaptive' && at(at(attachment, 'content'), 'type') === 'AdaptiveCard'
  const isSmall = JSON.stringify(body).length <= 28_000
  return isCard && isSmall ? undefined : { status: 400, body: { error: { code: 'BadRequest', message: 'The card cannot be read' } } }
}

function refuseAnnotation(authorization: string | undefined, body: unknown): JsonReply | undefined {
  if (!authorization?.startsWith('Bearer glsa_')) return { status: 401, body: { message: 'Invalid API key' } }
  return typeof at(body, 'time') === 'number' && typeof at(body, 'text') === 'string'
    ? undefined
    : { status: 400, body: { message: 'bad request data' } }
}
