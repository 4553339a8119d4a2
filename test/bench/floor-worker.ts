type FloorBindings = {
  readonly DATABASE_URL: string
  readonly DATABASE_ENDPOINT: string
  readonly UPSTASH_REDIS_REST_URL: string
  readonly UPSTASH_REDIS_REST_TOKEN: string
  /** JSON of `SeenRequests`. */
  readonly SEEN_REQUESTS: string
}

const WINDOW_MS = 900_000

// Bare requests to both stores, without a driver or a check: what the Worker's own answers are measured against.
const floorWorker = {
  async fetch(request: Request, bindings: FloorBindings): Promise<Response> {
    const { pathname, searchParams } = new URL(request.url)
    switch (pathname) {
      case '/append':
        return append(bindings, await request.text(), searchParams.get('key') ?? '')
      case '/ingest':
        return ingest(bindings, await request.text(), Number(searchParams.get('place')))
      case '/read':
        return read(bindings, searchParams.get('id') ?? '', searchParams.get('key') ?? '')
      default:
        return ping(bindings)
    }
  },
}

export { floorWorker as default }

/** One durable append, then one merge. */
async function append(bindings: FloorBindings, event: string, key: string): Promise<Response> {
  await query(bindings, 'INSERT INTO bench_appends (id, received_at, event) VALUES ($1, now(), $2)', [crypto.randomUUID(), event])
  const commands = [
    ['ZADD', key, 'GT', Date.now() + WINDOW_MS, event.slice(0, 200)],
    ['ZINCRBY', key, 1, 'count'],
  ]
  await redis(bindings, '/multi-exec', JSON.stringify(commands))
  return new Response(null, { status: 201 })
}

/** What a Worker was seen to ask of both stores for an event. */
export type SeenRequests = { readonly statement: string; readonly merge: string; readonly eventId: string }

let seenRequests: readonly SeenRequests[] | undefined

/** The two requests that an event comes to, with another id. */
async function ingest(bindings: FloorBindings, _event: string, place: number): Promise<Response> {
  seenRequests ??= JSON.parse(bindings.SEEN_REQUESTS) as readonly SeenRequests[]
  const { statement, merge, eventId } = seenRequests[place] ?? notSeen(place)
  const id = crypto.randomUUID()
  await post(bindings, statement.replace(eventId, id))
  await redis(bindings, '/multi-exec', merge)
  return Response.json({ id }, { status: 201 })
}

function notSeen(place: number): never {
  throw new Error(`no requests were seen of event ${place}`)
}

/** One row by its key and one sorted set, at once. */
async function read(bindings: FloorBindings, id: string, key: string): Promise<Response> {
  const [, members] = await Promise.all([
    query(bindings, 'SELECT id, received_at, event FROM bench_appends WHERE id = $1', [id]),
    redis(bindings, '', JSON.stringify(['ZRANGE', key, 0, -1, 'WITHSCORES'])),
  ])
  return new Response(members, { headers: { 'content-type': 'application/json' } })
}

/** Both round trips, with nothing asked of either store. */
async function ping(bindings: FloorBindings): Promise<Response> {
  await query(bindings, 'SELECT 1', [])
  await redis(bindings, '', JSON.stringify(['PING']))
  return new Response(null, { status: 204 })
}

function query(bindings: FloorBindings, text: string, params: readonly string[]): Promise<string> {
  return post(bindings, JSON.stringify({ query: text, params }))
}

async function post({ DATABASE_URL, DATABASE_ENDPOINT }: FloorBindings, body: string): Promise<string> {
  const response = await fetch(DATABASE_ENDPOINT, {
    method: 'POST',
    headers: { 'Neon-Connection-String': DATABASE_URL, 'Neon-Raw-Text-Output': 'true', 'Neon-Array-Mode': 'true' },
    body,
  })
  return bodyOf(response)
}

async function redis({ UPSTASH_REDIS_REST_URL, UPSTASH_REDIS_REST_TOKEN }: FloorBindings, path: string, body: string): Promise<string> {
  const response = await fetch(`${UPSTASH_REDIS_REST_URL}${path}`, {
    method: 'POST',
    headers: { Authorization: `Bearer ${UPSTASH_REDIS_REST_TOKEN}`, 'Content-Type': 'application/json' },
    body,
  })
  return bodyOf(response)
}

async function bodyOf(response: Response): Promise<string> {
  const text = await response.text()
  if (!response.ok) throw new Error(`${response.status} ${text}`)
  return text
}
