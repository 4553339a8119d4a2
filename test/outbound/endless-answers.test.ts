import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, expect, test } from 'vitest'
import { toPrompt } from '../../src/domain/telling/model-prompt.ts'
import { askModel, createEndpointModel } from '../../src/outbound/language-model.ts'
import { createPagerDuty } from '../../src/outbound/receivers/pagerduty.ts'
import { createRedis } from '../../src/store/redis.ts'
import { makeWordingSource } from '../support/wording.ts'

let sent = 0
const server = createServer((request, response) => {
  request.resume()
  response.writeHead(request.url?.startsWith('/refuses') ? 422 : 200, { 'Content-Type': 'application/json' })
  response.write('{"notes":[{"content":"')
  const pour = () => {
    while (!response.destroyed && sent < 200_000_000) {
      sent += 65_536
      if (!response.write('x'.repeat(65_536))) return void response.once('drain', pour)
    }
    response.destroy()
  }
  pour()
})
server.listen(0, '127.0.0.1')
await once(server, 'listening')
const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
afterAll(() => {
  server.closeAllConnections()
  server.close()
})

const settings = { from: 'oncall@acme.example', channel: null, secrets: { pagerduty_token: 'token' } }
const letter = { id: 'msg_1', at: new Date(), since: new Date(), incidentRef: 'P1', body: 'x', answerRef: null, isFollowUp: false }
const pagerDutyAt = (path = '') => createPagerDuty({ url: url + path, timeoutMs: 10_000 })
const prompt = toPrompt(makeWordingSource())
if (!prompt) throw new Error('nothing to ask')
const ask = (baseUrl: string) => askModel(createEndpointModel({ baseUrl, apiKey: undefined, model: 'm' }, 10_000), prompt)

test.each<[string, () => Promise<unknown>, unknown]>([
  ['a model', () => ask(url), { kind: 'failed' }],
  ['a model that refuses', () => ask(`${url}/refuses`), { kind: 'failed' }],
  ['a pager that lists notes', () => pagerDutyAt().find(settings, letter, () => false), { kind: 'retry' }],
  ['a pager that takes a note', () => pagerDutyAt().post(settings, letter), { kind: 'accepted' }],
  ['a pager that refuses one', () => pagerDutyAt('/refuses').post(settings, letter), { kind: 'refused' }],
])('of an answer without end from %s no more is read than may be', async (_name, work, outcome) => {
  sent = 0
  expect(await work()).toMatchObject(outcome as object)
  // What is on its way, besides.
  expect(sent).toBeLessThan(12_000_000)
})

test('nor of one from Redis, whose answers may be 10 MB', async () => {
  sent = 0
  const { client } = createRedis({ url, token: 'token', timeoutMs: 10_000 })
  await expect(client.ask(['GET', 'key'])).rejects.toThrow('too long')
  expect(sent).toBeLessThan(24_000_000)
})
