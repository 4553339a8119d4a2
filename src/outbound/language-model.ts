import { chat } from '@xsai/shared-chat'
import { readBoundedText } from '../bounded-body.ts'
import type { ModelPrompt } from '../domain/telling/model-prompt.ts'

/** A language model by name, and how to put a question to it. It is never needed: who asks has an answer of their own. */
export type LanguageModel = {
  readonly name: string
  readonly timeoutMs: number
  readonly generate: (prompt: ModelPrompt, signal: AbortSignal) => Promise<Generated>
}

type Generated = { readonly value: unknown; readonly tokens: number | undefined }

/** Cloudflare's Workers AI binding. */
export type WorkersAi = { readonly run: (model: string, inputs: Readonly<Record<string, unknown>>) => Promise<unknown> }

export type ModelEndpoint = { readonly baseUrl: string; readonly apiKey: string | undefined; readonly model: string }

export type ModelOutcome =
  /** Something that may or may not have the form that was asked for. */
  | { readonly kind: 'answered'; readonly value: unknown; readonly tokens: number | undefined }
  | { readonly kind: 'too_slow' }
  | { readonly kind: 'failed' }

/** What of an answer in OpenAI's form is read here; an endpoint may leave out any of it. */
type Completion = {
  readonly choices?: readonly { readonly message?: { readonly content?: unknown } }[]
  readonly usage?: { readonly total_tokens?: number }
}

/** Some hundred times what is asked for. */
const MAX_ANSWER_BYTES = 262_144

const FENCE = '```'

/** A model behind any endpoint that speaks OpenAI's protocol. */
export function createEndpointModel({ baseUrl, apiKey, model }: ModelEndpoint, timeoutMs: number): LanguageModel {
  return {
    name: model,
    timeoutMs,
    generate: async ({ system, user, schema, maxOutputTokens }, signal) => {
      const response = await chat({
        baseURL: baseUrl,
        ...(apiKey === undefined ? {} : { apiKey }),
        model,
        messages: toMessages(system, user),
        responseFormat: { type: 'json_schema', json_schema: { name: 'wording', strict: true, schema } },
        maxTokens: maxOutputTokens,
        temperature: 0,
        abortSignal: signal,
        fetch: fetchBounded,
      })
      // All of it optional, and unknown until it is read.
      const { choices, usage } = (await response.json()) as Completion
      return { value: readContent(choices?.[0]?.message?.content), tokens: toTokens(usage?.total_tokens) }
    },
  }
}

async function fetchBounded(url: URL, init: RequestInit): Promise<Response> {
  // A redirect would take the key to who knows where.
  const response = await fetch(url, { ...init, redirect: 'manual' })
  const text = await readBoundedText(response, MAX_ANSWER_BYTES)
  if (text === undefined) throw new Error('the answer is too long')
  return new Response(text, { status: response.status })
}

/** A model of Workers AI. */
export function createWorkersAiModel(ai: WorkersAi, model: string, timeoutMs: number): LanguageModel {
  return {
    name: model,
    timeoutMs,
    generate: async ({ system, user, schema, maxOutputTokens }) => {
      const answer = await ai.run(model, {
        messages: toMessages(system, user),
        response_format: { type: 'json_schema', json_schema: schema },
        max_tokens: maxOutputTokens,
        temperature: 0,
      })
      // The same.
      const { response, usage } = answer as { readonly response?: unknown } & Pick<Completion, 'usage'>
      return { value: readContent(response), tokens: toTokens(usage?.total_tokens) }
    },
  }
}

/** Puts one question, once, until the model's deadline. Never throws, and says nothing of what the endpoint said. */
export async function askModel(model: LanguageModel, prompt: ModelPrompt): Promise<ModelOutcome> {
  const signal = AbortSignal.timeout(model.timeoutMs)
  // Not every provider minds the signal.
  const late = new Promise<never>((_, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }))
  try {
    const { value, tokens } = await Promise.race([model.generate(prompt, signal), late])
    return { kind: 'answered', value, tokens }
  } catch {
    return { kind: signal.aborted ? 'too_slow' : 'failed' }
  }
}

function toMessages(system: string, user: string) {
  return [
    { role: 'system' as const, content: system },
    { role: 'user' as const, content: user },
  ]
}

function toTokens(value: number | undefined): number | undefined {
  return value !== undefined && Number.isSafeInteger(value) && value >= 0 ? value : undefined
}

/** Some providers parse the JSON themselves, and some models wrap it. */
function readContent(text: unknown): unknown {
  if (typeof text !== 'string') return text
  if (text.length > MAX_ANSWER_BYTES) return undefined
  try {
    return JSON.parse(takeOffFence(text.trim()))
  } catch {
    return undefined
  }
}

function takeOffFence(text: string): string {
  if (!text.startsWith(FENCE) || !text.endsWith(FENCE)) return text
  return text.slice(FENCE.length, -FENCE.length).replace(/^json/, '')
}
