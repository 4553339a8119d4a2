import { setTimeout as sleep } from 'node:timers/promises'
import { styleText } from 'node:util'
import { progress } from '@clack/prompts'
import { DemoError, type Dev, findDev, request, toText } from './demo-client.ts'
import { showIncidents } from './demo-incident.ts'
import { connectSenders, type Senders, sendDelivery } from './demo-senders.ts'
import { createShopEvents, SHOP_CHAPTERS, SHOP_DURATION_MS, SHOP_ROLLBACK_MS, SHOP_SERVICE, type ShopEvent } from './shop.ts'
import { inRegion, SHOP_SENDERS, type ShopDelivery, toDeliveries, toRegional } from './shop-deliveries.ts'

const HELP = `npm run demo [-- --fast]: ten minutes of an online shop's life, sent to a running "npm run dev"

  --fast   as fast as it goes, instead of in about twenty seconds
  --help   this text

Its senders deliver to their doors: GitHub a workflow, Argo CD its syncs, LaunchDarkly a flag, OpenTelemetry what cluster and services log.
Calm at first, then a deploy of payment-service that goes wrong. Alertmanager fires for one of its callers: a diagnosis, which an
engineer confirms. A pager fires for another: a note at the stand-in for PagerDuty, which cites the first. Then the deploy is rolled
back, and both alerts end. At the end payment-service's state window is shown. Another demo within a quarter of an hour is of another
region of the shop.`

const OPENING_MS = 9_000
const MAX_CELL_LENGTH = 44

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
type Display = { readonly show: (delivery: ShopDelivery) => void; readonly stop: (isDone: boolean) => void }

async function main(options: readonly string[]): Promise<void> {
  const unknown = options.find((option) => option !== '--fast' && option !== '--help')
  if (unknown !== undefined) throw new DemoError(`unknown option ${unknown}: try --help`)
  if (options.includes('--help')) return console.log(HELP)

  const dev = await findDev()
  const senders = await connectSenders(dev, [...SHOP_SENDERS, 'alertmanager'])
  const isFast = options.includes('--fast')
  const endsAt = new Date(Date.now() + (isFast ? 0 : OPENING_MS + SHOP_ROLLBACK_MS))
  const rollbackAt = new Date(endsAt.getTime() - SHOP_ROLLBACK_MS)
  const { region } = senders
  const events = inRegion(createShopEvents(endsAt, createRandom(endsAt.getTime())), region)
  const isOpening = ({ atMs }: ShopEvent) => atMs < rollbackAt.getTime()
  const opening = toDeliveries(events.filter(isOpening), region)
  const ending = toDeliveries(
    events.filter((event) => !isOpening(event)),
    region,
  )
  console.log(`Sending ${opening.length + ending.length} deliveries of ${SHOP_SENDERS.length} senders to ${dev.url}`)
  const dueAt = isFast ? () => 0 : createPace(endsAt)
  await play(dev, senders, opening, dueAt, endsAt)
  console.log(`\n${styleText('bold', 'From an alert to an answer')}\n`)
  const alerts = await showIncidents(dev, senders, rollbackAt)
  console.log(`\n${styleText('bold', 'The deploy is rolled back')}\n`)
  await play(dev, senders, ending, dueAt, endsAt)
  await alerts.end()
  await showWindow(dev, toRegional(SHOP_SERVICE, region))
}

/** When an event is due, in milliseconds since 1970: what leads to the alerts in a few seconds, the rollback in real time. */
function createPace(endsAt: Date): (event: ShopEvent) => number {
  const rollbackMs = endsAt.getTime() - SHOP_ROLLBACK_MS
  const speed = (SHOP_DURATION_MS - SHOP_ROLLBACK_MS) / OPENING_MS
  return ({ atMs }) => (atMs < rollbackMs ? rollbackMs - (rollbackMs - atMs) / speed : atMs)
}

async function play(
  dev: Dev,
  senders: Senders,
  deliveries: readonly ShopDelivery[],
  dueAt: (event: ShopEvent) => number,
  endsAt: Date,
): Promise<void> {
  const display = process.stdout.isTTY ? createBar(deliveries, endsAt) : createLines(deliveries, endsAt)
  let isDone = false
  try {
    for (const delivery of deliveries) {
      const [last] = delivery.events.slice(-1)
      const waitMs = last ? dueAt(last) - Date.now() : 0
      if (waitMs > 0) await sleep(waitMs)
      await sendDelivery(dev, senders, delivery)
      display.show(delivery)
    }
    isDone = true
  } finally {
    display.stop(isDone)
  }
}

function createBar(deliveries: readonly ShopDelivery[], endsAt: Date): Display {
  const bar = progress({ max: deliveries.length, size: 30, onCancel: () => process.exit(130) })
  bar.start(toStoryLine(0))
  return {
    show: (delivery) => bar.advance(1, toStoryLine(storyMs(delivery, endsAt))),
    stop: (isDone) => (isDone ? bar.stop(`${deliveries.length} deliveries sent`) : bar.error('stopped')),
  }
}

function createLines(deliveries: readonly ShopDelivery[], endsAt: Date): Display {
  let shown = ''
  return {
    show: (delivery) => {
      const ms = storyMs(delivery, endsAt)
      const { title } = findChapter(ms)
      if (title !== shown) console.log(`  ${toStoryLine(ms)}`)
      shown = title
    },
    stop: (isDone) => console.log(isDone ? `  ${deliveries.length} deliveries sent` : '  stopped'),
  }
}

/** Where in the story a delivery is, in milliseconds. */
function storyMs({ events: [first] }: ShopDelivery, endsAt: Date): number {
  return (first?.atMs ?? endsAt.getTime()) - (endsAt.getTime() - SHOP_DURATION_MS)
}

function toStoryLine(ms: number): string {
  const seconds = Math.floor(ms / 1000)
  const clock = [Math.floor(seconds / 60), seconds % 60].map((part) => String(part).padStart(2, '0')).join(':')
  return `${clock}  ${findChapter(ms).title}`
}

function findChapter(ms: number): (typeof SHOP_CHAPTERS)[number] {
  return SHOP_CHAPTERS.findLast(({ fromSeconds }) => fromSeconds * 1000 <= ms) ?? SHOP_CHAPTERS[0]
}

async function showWindow(dev: Dev, own: string): Promise<void> {
  const { body: services } = await request(dev, '/v1/services', { expect: [200] })
  const service = (services as readonly { id: string; name: string }[]).find(({ name }) => name === own)
  if (!service) throw new DemoError(`GET /v1/services does not list ${own}`)
  const path = `/v1/services/${service.id}/context`
  const { body: window } = await request(dev, path, { expect: [200] })

  const entries = Object.values(Object(window))
    .filter((value): value is Entry[] => Array.isArray(value))
    .flat()
    .toSorted((a, b) => Date.parse(a.timestamp) - Date.parse(b.timestamp))
  const rows = entries.map(toRow)
  console.log(
    `\n${styleText('bold', own)}: ${entries.length} changes in its state window, of ${(services as readonly unknown[]).length} services\n`,
  )
  console.log(toTable(['TIME (UTC)', 'TYPE', 'VENDOR', 'ENTITY', 'CHANGE', 'SHA', 'COUNT', 'JOINED BY'], rows))
  console.log(`\nThe same as JSON:\n  curl -s -H 'Authorization: Bearer ${dev.readonlyKey}' ${dev.url}${path}`)
}

function toRow(entry: Entry): string[] {
  const { old_value, new_value, sha, count, first_timestamp } = entry
  return [
    toClock(entry.timestamp),
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
