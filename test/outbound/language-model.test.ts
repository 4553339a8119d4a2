import { afterAll, expect, test } from 'vitest'
import { toPrompt } from '../../src/domain/telling/model-prompt.ts'
import { askModel, createEndpointModel, createWorkersAiModel, type WorkersAi } from '../../src/outbound/language-model.ts'
import { type ScriptedModel, serveModel } from '../stack/model-api.ts'
import { makeWordingSource } from '../support/wording.ts'

const api = await serveModel()
afterAll(() => api.stop())

const prompt = toPrompt(makeWordingSource())
if (!prompt) throw new Error('nothing to ask')

const KEY = 'sk-secret'
const ask = (model: ScriptedModel | 'unknown', apiKey: string | undefined = KEY, baseUrl = `${api.url}/v1`) =>
  askModel(createEndpointModel({ baseUrl, apiKey, model }, model === 'slow' ? 300 : 5_000), prompt)

test('an endpoint is asked with the prompt, the schema and the key', async () => {
  expect(await ask('well')).toMatchObject({ kind: 'answered', value: { candidates: [{ number: 1 }, { number: 2 }] }, tokens: 760 })
  expect(api.asked.at(-1)).toMatchObject({
    model: 'well',
    messages: [
      { role: 'system', content: prompt.system },
      { role: 'user', content: prompt.user },
    ],
    response_format: { type: 'json_schema', json_schema: { schema: prompt.schema } },
    max_tokens: 800,
    temperature: 0,
  })
})

test.each<[ScriptedModel, unknown]>([
  ['fenced', { kind: 'answered', value: { candidates: [{ number: 1 }, { number: 2 }] } }],
  ['prose', { kind: 'answered', value: undefined }],
  ['cut_off', { kind: 'answered', value: undefined }],
  ['slow', { kind: 'too_slow' }],
  ['broken', { kind: 'failed' }],
])('a model that answers like %s', async (model, outcome) => {
  const before = api.asked.length
  expect(await ask(model)).toMatchObject(outcome as object)
  expect(api.asked.length - before).toBe(1)
})

test.each([
  ['a wrong key', () => ask('well', 'bad-key')],
  ['no key', () => askModel(createEndpointModel({ baseUrl: `${api.url}/v1`, apiKey: undefined, model: 'well' }, 5_000), prompt)],
  ['a model that does not exist', () => ask('unknown')],
  ['an endpoint that does not exist', () => ask('well', KEY, 'http://127.0.0.1:9/v1')],
  ['an address that is none of an API', () => ask('well', KEY, `${api.url}/v2`)],
])('%s is a failure without details', async (_name, work) => {
  expect(await work()).toEqual({ kind: 'failed' })
})

// Cloudflare's side of the binding: what its documentation says it is given and answers.
const workersAi = (answer: unknown): WorkersAi & { readonly given: unknown[] } => {
  const given: unknown[] = []
  return {
    given,
    run: async (...args) => {
      given.push(args)
      if (answer instanceof Error) throw answer
      return answer
    },
  }
}

test.each<[string, unknown, unknown]>([
  ['an object', { response: { candidates: [] }, usage: { total_tokens: 12 } }, { kind: 'answered', value: { candidates: [] }, tokens: 12 }],
  ['text', { response: '{"candidates":[]}' }, { kind: 'answered', value: { candidates: [] }, tokens: undefined }],
  ['fenced text', { response: ' ```json\n{"candidates":[]}\n``` ' }, { kind: 'answered', value: { candidates: [] }, tokens: undefined }],
  ['text without end', { response: `{"candidates":[]}${' '.repeat(300_000)}` }, { kind: 'answered', value: undefined, tokens: undefined }],
  ['nonsense', { response: 'no' }, { kind: 'answered', value: undefined, tokens: undefined }],
  ['nothing', undefined, { kind: 'failed' }],
  ['an error', new Error('5007: no such model'), { kind: 'failed' }],
])('Workers AI answers with %s', async (_name, answer, outcome) => {
  const ai = workersAi(answer)
  expect(await askModel(createWorkersAiModel(ai, '@cf/some/model', 300), prompt)).toEqual(outcome)
  expect(ai.given).toMatchObject([
    [
      '@cf/some/model',
      { messages: [{ role: 'system' }, { role: 'user' }], response_format: { type: 'json_schema', json_schema: prompt.schema } },
    ],
  ])
})

test('Workers AI that never answers is given up', async () => {
  const silent: WorkersAi = { run: () => new Promise(() => {}) }
  expect(await askModel(createWorkersAiModel(silent, 'm', 50), prompt)).toEqual({ kind: 'too_slow' })
})
