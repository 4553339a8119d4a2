import { field, parseJson } from '../../domain/json.ts'
import type { ReceiverSettings } from '../../domain/receivers/receiver.ts'
import type { FindOutcome, Letter, PostOutcome, ReceiverClient } from './client.ts'
import { type Network, sendJson, toOutcome } from './request.ts'

/** Writes annotations into Grafana with a service account's token. */
export function createGrafanaAnnotations(network: Network): ReceiverClient {
  return {
    post: (settings, letter) => post(network, settings, letter),
    find: (settings, letter, isOurs) => find(network, settings, letter, isOurs),
  }
}

async function post(network: Network, { secrets }: ReceiverSettings, { body }: Letter): Promise<PostOutcome> {
  const { url = '', grafana_token: token = '' } = secrets
  const sent = await sendJson(network, toAddress(url), { method: 'POST', headers: { Authorization: `Bearer ${token}` }, body })
  const outcome = toOutcome(sent, { name: 'Grafana', secrets: [token] })
  // It may have been stored: that can be asked.
  return outcome.kind === 'retry' && sent.kind === 'replied' && sent.reply.status !== 429 ? { ...outcome, kind: 'doubtful' } : outcome
}

async function find(
  network: Network,
  { secrets }: ReceiverSettings,
  { body }: Letter,
  isOurs: (text: string) => boolean,
): Promise<FindOutcome> {
  const { url = '', grafana_token: token = '' } = secrets
  const address = `${toAddress(url)}?${toQuery(body)}`
  const sent = await sendJson(network, address, { method: 'GET', headers: { Authorization: `Bearer ${token}` } })
  const outcome = toOutcome(sent, { name: 'Grafana', secrets: [token] })
  if (outcome.kind === 'refused') return outcome
  if (outcome.kind !== 'accepted') return { ...outcome, kind: 'retry' }
  const list = sent.kind === 'replied' ? parseJson(sent.reply.text) : undefined
  if (!Array.isArray(list)) return { kind: 'retry', reason: 'Grafana listed no annotations that can be read', afterMs: undefined }
  return { kind: list.some((annotation) => isOurs(JSON.stringify(annotation))) ? 'found' : 'absent' }
}

/** All annotations with the tags of the one that is looked for. */
function toQuery(body: string): string {
  const tags = field(parseJson(body), 'tags')
  return new URLSearchParams((Array.isArray(tags) ? tags : []).map((tag) => ['tags', String(tag)])).toString()
}

const toAddress = (url: string): string => `${url.replace(/(?<!\/)\/+$/, '')}/api/annotations`
