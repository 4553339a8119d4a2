import { createHmac, randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Dev, readJsonFile, request, STATE } from './demo-client.ts'
import type { ShopDelivery, ShopSender } from './shop-deliveries.ts'

const FILE = join(STATE, 'demo-senders.json')

type DemoSender = ShopSender | 'alertmanager'
type Integration = { readonly id: string; readonly token: string }

/** The tokens of the demo's integrations, what GitHub signs with, and the region of the shop that the story is of. */
export type Senders = { readonly tokens: Readonly<Record<DemoSender, string>>; readonly secret: string; readonly region: string }

const REGIONS = ['', 'eu', 'us', 'asia', 'africa']
/** Until a story is none of the evening of another any more. */
const STORY_MS = 15 * 60_000

/** Connects senders as Connect does. Those of an earlier demo are used again while they are there, so that they do not pile up. */
export async function connectSenders(dev: Dev, types: readonly DemoSender[]): Promise<Senders> {
  const file = readJsonFile(FILE)
  const isOfTenant = file['tenant_id'] === dev.tenantId
  const known: Readonly<Record<string, unknown>> = isOfTenant ? Object(file['ids']) : {}
  const told: Readonly<Record<string, number>> = isOfTenant ? Object(file['told']) : {}
  const region = chooseRegion(told)
  const { body: all } = await request(dev, '/v1/integrations', { expect: [200] })
  const secret = randomBytes(24).toString('hex')
  const own: [DemoSender, Integration][] = []
  for (const type of types) {
    const found = (all as readonly Integration[]).find(({ id }) => id === known[type])
    own.push([type, found ?? (await connect(dev, type))])
  }
  const integrations = Object.fromEntries(own) as Readonly<Record<DemoSender, Integration>>
  const config = JSON.stringify({ config: { webhook_secret: secret } })
  await request(dev, `/v1/integrations/${integrations.github.id}`, { method: 'PUT', body: config, expect: [200] })
  const ids = Object.fromEntries(own.map(([type, { id }]) => [type, id]))
  const stored = { tenant_id: dev.tenantId, ids, told: { ...told, [region]: Date.now() } }
  writeFileSync(FILE, JSON.stringify(stored), { mode: 0o600 })
  return { tokens: Object.fromEntries(own.map(([type, { token }]) => [type, token])) as Senders['tokens'], secret, region }
}

/** The first that no story was told of lately, so that none is mistaken for part of another; else that of the oldest. */
function chooseRegion(told: Readonly<Record<string, number>>): string {
  const toldMs = (region: string) => told[region] ?? 0
  const [oldest = ''] = REGIONS.toSorted((a, b) => toldMs(a) - toldMs(b))
  return REGIONS.find((region) => Date.now() - toldMs(region) > STORY_MS) ?? oldest
}

async function connect(dev: Dev, type: DemoSender): Promise<Integration> {
  const { body } = await request(dev, '/v1/integrations', { method: 'POST', body: JSON.stringify({ type }), expect: [201] })
  return body as Integration
}

/** Sends a delivery to its door, with the token where the sender can put it. */
export async function sendDelivery(dev: Dev, { tokens, secret }: Senders, delivery: Omit<ShopDelivery, 'events'>): Promise<void> {
  const { sender, headers } = delivery
  const body = JSON.stringify(delivery.body)
  const key = tokens[sender]
  if (sender === 'otlp') return void (await request(dev, '/v1/logs', { method: 'POST', key, body, expect: [200] }))
  if (sender === 'argocd') return void (await request(dev, '/in/argocd', { method: 'POST', key, body, expect: [202] }))
  const signature = `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`
  const signed = sender === 'github' ? { ...headers, 'X-Hub-Signature-256': signature } : headers
  await request(dev, `/in/${sender}/${key}`, { method: 'POST', key: null, headers: signed, body, expect: [202] })
}
