import { type Address, type Endpoint, type JsonReply, type JsonRequest, serveJson } from './json-server.ts'

type Candidate = {
  readonly number: number
  readonly service: string
  readonly finding: string
  readonly events: readonly { readonly new: string | null; readonly entity: string; readonly sha: string | null }[]
}

type Chat = {
  readonly model?: string
  readonly messages?: readonly { readonly role: string; readonly content: string }[]
  readonly response_format?: { readonly type?: string; readonly json_schema?: { readonly schema?: unknown } }
  readonly max_tokens?: number
}

const usage = { prompt_tokens: 700, completion_tokens: 60, total_tokens: 760 }

/** What an answer says, by the name of the model that is asked. */
const ANSWERS = {
  well: (candidates) => inOrder(candidates, ({ finding }) => finding),
  /** Sees it the other way round. */
  contrary: (candidates) => inOrder(candidates.toReversed(), ({ service }) => `A change on ${service} came first`),
  fenced: (candidates) => `\`\`\`json\n${JSON.stringify(inOrder(candidates, ({ finding }) => finding))}\n\`\`\``,
  prose: () => 'The deploy is to blame, I am quite sure.',
  cut_off: () => '{"candidates":[{"number":1,"sent',
  other_form: () => ({ answer: 'the deploy' }),
  empty: () => ({ candidates: [] }),
  repeats: (candidates) => ({ candidates: candidates.map(({ finding }) => ({ number: 1, sentence: finding })) }),
  leaves_out: (candidates) => inOrder(candidates.slice(1), ({ finding }) => finding),
  invents_sha: (candidates) => inOrder(candidates, ({ service }) => `Deploy sha=deadbee to ${service} before onset`),
  invents_id: (candidates) => inOrder(candidates, ({ service }) => `Deploy on ${service}, see 6f9619ff-8b86-4d11-b42d-00cf4fc964ff`),
  invents_name: (candidates) => inOrder(candidates, ({ service }) => `Deploy on ${service} after billing-db failed`),
  invents_plain_name: (candidates) => inOrder(candidates, ({ service }) => `Deploy on ${service} after marmalade failed`),
  invents_number: (candidates) => inOrder(candidates, ({ service }) => `Deploy on ${service} caused 9731 errors`),
  reassures: (candidates) => inOrder(candidates, ({ service }) => `Nothing is wrong with ${service}, ignore this page`),
  links: (candidates) => inOrder(candidates, ({ service }) => `Deploy on ${service}, see https://evil.example`),
  rambles: (candidates) => inOrder(candidates, ({ finding }) => `${finding} `.repeat(20)),
  /** Does what the texts of the events tell it to. */
  obeys: (candidates) =>
    inOrder(candidates, ({ events, service }) => `${service}: ${events.map((event) => `${event.new} ${event.entity}`).join(' ')}`),
} as const satisfies Record<string, (candidates: readonly Candidate[]) => unknown>

/** How the stand-in answers; besides, `slow` says nothing for as long as it is listened to and `broken` fails. */
export type ScriptedModel = keyof typeof ANSWERS | 'slow' | 'broken'

export type ModelApi = Endpoint & {
  /** What was asked so far, as it was sent. */
  readonly asked: readonly Chat[]
}

/** A stand-in for an endpoint that speaks OpenAI's protocol, and answers as the name of the model says. */
export async function serveModel(address: Address = {}): Promise<ModelApi> {
  const asked: Chat[] = []
  const endpoint = await serveJson(address, async (request): Promise<JsonReply> => {
    const chat = (request.body ?? {}) as Chat
    const refusal = refuse(request, chat)
    if (refusal) return refusal
    asked.push(chat)
    const { model = '' } = chat
    if (model === 'slow') return 'hang'
    if (model === 'broken') return { status: 500, body: { error: { message: 'The server had an error', type: 'server_error' } } }
    const answer = Object.entries(ANSWERS).find(([name]) => name === model)?.[1]
    if (!answer) return { status: 404, body: { error: { message: `The model ${model} does not exist`, code: 'model_not_found' } } }
    const said = answer(readCandidates(chat))
    const content = typeof said === 'string' ? said : JSON.stringify(said)
    const choice = { index: 0, finish_reason: 'stop', message: { role: 'assistant', content } }
    return { status: 200, body: { id: 'chatcmpl-1', object: 'chat.completion', created: 1_770_000_000, model, choices: [choice], usage } }
  })
  return { ...endpoint, asked }
}

function refuse({ path, headers }: JsonRequest, { messages, response_format: format }: Chat): JsonReply | undefined {
  if (path !== '/v1/chat/completions') return { status: 404, body: { error: { message: 'Not found' } } }
  if (!/^Bearer (?!bad)\S+$/.test(headers.authorization ?? '')) {
    return { status: 401, body: { error: { message: `Incorrect API key provided: ${headers.authorization}`, code: 'invalid_api_key' } } }
  }
  const isChat = messages?.length === 2 && format?.type === 'json_schema' && format.json_schema?.schema !== undefined
  return isChat ? undefined : { status: 400, body: { error: { message: 'Two messages and a schema, please' } } }
}

function readCandidates({ messages = [] }: Chat): readonly Candidate[] {
  const json = /^<data>(.*)<\/data>$/s.exec(messages[1]?.content ?? '')?.[1] ?? '{}'
  return (JSON.parse(json) as { readonly candidates?: readonly Candidate[] }).candidates ?? []
}

function inOrder(candidates: readonly Candidate[], say: (candidate: Candidate) => string) {
  return { candidates: candidates.map((candidate) => ({ number: candidate.number, sentence: say(candidate) })) }
}
