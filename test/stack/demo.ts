import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { styleText } from 'node:util'
import { progress } from '@clack/prompts'
import { DemoError, type Dev, findDev, readJsonFile, request, STATE, toText } from './demo-client.ts'
import { showIncidents } from './demo-incident.ts'
import {
  createShopEvents,
  SHOP_AGENTS,
  SHOP_CALLERS,
  SHOP_CHAPTERS,
  SHOP_DURATION_MS,
  SHOP_ROLLBACK_MS,
  SHOP_SERVICE,
  type ShopAgent,
  type ShopEvent,
  toGoJson,
} from './shop.ts'

const HELP = `npm run demo [-- --fast]: ten minutes of an online shop's life, sent to a running "npm run dev"

  --fast   as fast as it goes, instead of in about twenty seconds
  --help   this text

Three agents report what their hosts see: calm at first, then a deploy of payment-service that goes wrong, and its
rollback. Before the rollback a pager fires for one of its callers: a diagnosis, a note at the stand-in for PagerDuty, an engineer's
verdict, and an alert of another caller, whose answer cites the first. At the end payment-service's state window is shown.`

const AGENT_KEYS_FILE = join(STATE, 'demo-agents.json')
const AGENT_VERSION = '0.1.0'
const OPENING_MS = 9_000
const MAX_GROUP_EVENTS = 8
const MAX_CELL_LENGTH = 44

type AgentKeys = Readonly<Record<ShopAgent, string>>
type Group = { readonly agent: ShopAgent; readonly events: readonly [ShopEvent, ...ShopEvent[]] }

type Entry = {
  readonly event_type: string
  readonly vendor: string
  readonly entity: string
  readonly old_value: string | null
  readonly new_value: string | null
  readonly sha: string | null
  readonly timestamp: string
  readonly first_timestamp: string
  readonly count: number
  readonly joined_by: string
}

/** Says how far the story is; `stop` ends it, well or not. */
type Display = { readonly show: (group: Group) => void; readonly stop: (isDone: boolean) => void }

async function main(options: readonly string[]): Promise<void> {
  const unknown = options.find((option) => option !== '--fast' && option !== '--help')
  if (unknown !== undefined) throw new DemoError(`unknown option ${unknown}: try --help`)
  if (options.includes('--help')) return console.log(HELP)

  const dev = await findDev()
  const keys = await registerAgents(dev)
  const isFast = options.includes('--fast')
  const endsAt = new Date(Date.now() + (isFast ? 0 : OPENING_MS + SHOP_ROLLBACK_MS))
  const events = createShopEvents(endsAt, createRandom(endsAt.getTime()))
  console.log(`Sending ${events.length} events of ${SHOP_AGENTS.length} agents to ${dev.url}`)
  const dueAt = isFast ? () => 0 : createPace(endsAt)
  const isOpening = ({ atMs }: ShopEvent) => atMs < endsAt.getTime() - SHOP_ROLLBACK_MS
  await play(dev, keys, events.filter(isOpening), dueAt)
  console.log(`\n${styleText('bold', 'From a page to an answer')}\n`)
  await showIncidents(dev, SHOP_CALLERS)
  console.log(`\n${styleText('bold', 'The deploy is rolled back')}\n`)
  await play(
    dev,
    keys,
    events.filter((event) => !isOpening(event)),
    dueAt,
  )
  await showWindow(dev, events)
}

/** One ingest key is one agent. The keys of an earlier demo are used again while they work, so that agents do not pile up. */
async function registerAgents(dev: Dev): Promise<AgentKeys> {
  const { tenant_id, keys } = readJsonFile(AGENT_KEYS_FILE)
  const known: Readonly<Record<string, unknown>> = tenant_id === dev.tenantId ? Object(keys) : {}
  const pairs: [ShopAgent, string][] = []
  for (const agent of SHOP_AGENTS) pairs.push([agent, await registerAgent(dev, agent, known[agent])])

  const registered = Object.fromEntries(pairs) as AgentKeys
  writeFileSync(AGENT_KEYS_FILE, JSON.stringify({ tenant_id: dev.tenantId, keys: registered }), { mode: 0o600 })
  return registered
}

async function registerAgent(dev: Dev, agent: ShopAgent, knownKey: unknown): Promise<string> {
  const body = JSON.stringify({ hostname: `${agent}.shop.internal`, name: agent, version: AGENT_VERSION })
  const register = (key: string, expect: readonly number[]) => request(dev, '/v1/agents/register', { method: 'POST', key, body, expect })
  if (typeof knownKey === 'string' && (await register(knownKey, [201, 401])).status === 201) return knownKey

  const newKey = JSON.stringify({ key_type: 'ingest', name: agent })
  const created = await request(dev, '/v1/api-keys', { method: 'POST', body: newKey, expect: [201] })
  const key = String(Object(created.body).key)
  await register(key, [201])
  return key
}

/**
 * When an event is due, in milliseconds since 1970. Loggers send no time of their own, so theirs is the receipt: the
 * rollback plays in real time for it to come after the errors that led to it.
 */
function createPace(endsAt: Date): (event: ShopEvent) => number {
  const rollbackMs = endsAt.getTime() - SHOP_ROLLBACK_MS
  const speed = (SHOP_DURATION_MS - SHOP_ROLLBACK_MS) / OPENING_MS
  return ({ atMs }) => (atMs < rollbackMs ? rollbackMs - (rollbackMs - atMs) / speed : atMs)
}

async function play(dev: Dev, keys: AgentKeys, events: readonly ShopEvent[], dueAt: (event: ShopEvent) => number): Promise<void> {
  const display = process.stdout.isTTY ? createBar(events) : createLines(events)
  let isDone = false
  try {
    for (const group of toGroups(events)) {
      const waitMs = dueAt(group.events.at(-1) ?? group.events[0]) - Date.now()
      if (waitMs > 0) await sleep(waitMs)
      await send(dev, keys[group.agent], group)
      display.show(group)
    }
    isDone = true
  } finally {
    display.stop(isDone)
  }
}

/** Events that follow each other and come from one agent, in order. */
function toGroups(events: readonly ShopEvent[]): Group[] {
  const groups: { readonly agent: ShopAgent; readonly events: [ShopEvent, ...ShopEvent[]] }[] = []
  for (const event of events) {
    const last = groups.at(-1)
    if (last?.agent === event.agent && last.events.length < MAX_GROUP_EVENTS) last.events.push(event)
    else groups.push({ agent: event.agent, events: [event] })
  }
  return groups
}

async function send(dev: Dev, key: string, { events }: Group): Promise<void> {
  const [first, ...others] = events
  if (others.length === 0) {
    await request(dev, '/v1/events', { method: 'POST', key, body: toGoJson(first.event), expect: [201] })
    return
  }
  const body = toGoJson(events.map(({ event }) => event))
  const answer = await request(dev, '/v1/events/batch', { method: 'POST', key, body, expect: [200] })
  const { results } = answer.body as { results: readonly { index: number; status: number; error?: string }[] }
  const refused = results.find(({ status }) => status >= 400)
  if (refused) throw new DemoError(`POST /v1/events/batch refused event ${refused.index}: ${toText(refused.error ?? 'no detail')}`)
}

function createBar(events: readonly ShopEvent[]): Display {
  const bar = progress({ max: events.length, size: 30, onCancel: () => process.exit(130) })
  bar.start(toStoryLine(0))
  return {
    show: (group) => bar.advance(group.events.length, toStoryLine(storyMs(events, group))),
    stop: (isDone) => (isDone ? bar.stop(`${events.length} events sent`) : bar.error('stopped')),
  }
}

function createLines(events: readonly ShopEvent[]): Display {
  let shown = ''
  return {
    show: (group) => {
      const ms = storyMs(events, group)
      const { title } = findChapter(ms)
      if (title !== shown) console.log(`  ${toStoryLine(ms)}`)
      shown = title
    },
    stop: (isDone) => console.log(isDone ? `  ${events.length} events sent` : '  stopped'),
  }
}

/** Where in the story a group begins, in milliseconds. */
function storyMs(events: readonly ShopEvent[], group: Group): number {
  const endMs = events.at(-1)?.atMs ?? 0
  return group.events[0].atMs - (endMs - SHOP_DURATION_MS)
}

function toStoryLine(ms: number): string {
  const seconds = Math.floor(ms / 1000)
  const clock = [Math.floor(seconds / 60), seconds % 60].map((part) => String(part).padStart(2, '0')).join(':')
  return `${clock}  ${findChapter(ms).title}`
}

function findChapter(ms: number): (typeof SHOP_CHAPTERS)[number] {
  return SHOP_CHAPTERS.findLast(({ fromSeconds }) => fromSeconds * 1000 <= ms) ?? SHOP_CHAPTERS[0]
}

async function showWindow(dev: Dev, events: readonly ShopEvent[]): Promise<void> {
  const { body: services } = await request(dev, '/v1/services', { expect: [200] })
  const service = (services as readonly { id: string; name: string }[]).find(({ name }) => name === SHOP_SERVICE)
  if (!service) throw new DemoError(`GET /v1/services does not list ${SHOP_SERVICE}`)
  const path = `/v1/services/${service.id}/context`
  const { body: window } = await request(dev, path, { expect: [200] })

  const entries = Object.values(Object(window))
    .filter((value): value is Entry[] => Array.isArray(value))
    .flat()
    .toSorted((a, b) => Date.parse(a.timestamp) - Date.parse(b.timestamp))
  const timeless = new Set(events.filter(({ event }) => event.timestamp === '').map(({ event }) => String(event.vendor)))
  const rows = entries.map((entry) => toRow(entry, timeless))
  console.log(
    `\n${styleText('bold', SHOP_SERVICE)}: ${entries.length} changes in its state window, of ${(services as readonly unknown[]).length} services\n`,
  )
  console.log(toTable(['TIME (UTC)', 'TYPE', 'VENDOR', 'ENTITY', 'CHANGE', 'SHA', 'COUNT', 'JOINED BY'], rows))
  console.log('\n~ the time of receipt: this vendor sends none of its own')
  console.log(`\nThe same as JSON:\n  curl -s -H 'Authorization: Bearer ${dev.readonlyKey}' ${dev.url}${path}`)
}

function toRow(entry: Entry, timeless: ReadonlySet<string>): string[] {
  const { old_value, new_value, sha, count, first_timestamp } = entry
  return [
    `${timeless.has(entry.vendor) ? '~' : ' '}${toClock(entry.timestamp)}`,
    entry.event_type,
    entry.vendor,
    entry.entity,
    old_value === null ? (new_value ?? '') : `${old_value} → ${new_value ?? ''}`,
    sha?.slice(0, 8) ?? '',
    count > 1 ? `×${count} since ${toClock(first_timestamp)}` : '',
    entry.joined_by,
  ].map(toText)
}

const toClock = (timestamp: string) => timestamp.slice(11, 19)

function toTable(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const cut = (cell: string) => (cell.length > MAX_CELL_LENGTH ? `${cell.slice(0, MAX_CELL_LENGTH - 1)}…` : cell)
  const cells = [header, ...rows].map((row) => row.map(cut))
  const widths = header.map((_, column) => Math.max(...cells.map((row) => row[column]?.length ?? 0)))
  const lines = cells.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  )
  return lines.map((line, index) => (index === 0 ? styleText('dim', line) : styleText(colorOf(rows[index - 1]?.[1]), line))).join('\n')
}

function colorOf(eventType: string | undefined): 'cyan' | 'red' | 'yellow' | 'reset' {
  if (eventType === 'deploy') return 'cyan'
  if (eventType === 'restart' || eventType === 'dependency_failure') return 'red'
  return eventType === 'saturation' ? 'yellow' : 'reset'
}

/** Random enough for a story, and the same for the same seed (mulberry32). */
function createRandom(seed: number): () => number {
  let state = seed | 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

try {
  await main(process.argv.slice(2))
} catch (error) {
  if (!(error instanceof DemoError)) throw error
  console.error(`demo: ${error.message}`)
  process.exitCode = 1
}
