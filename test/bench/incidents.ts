import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { DemoError, type Dev, findDev } from '../stack/demo-client.ts'
import { connectPager, listNotes, type Pager, sendAlert } from '../stack/demo-pager.ts'
import { quantile } from './statistics.ts'
import { UsageError } from './usage-error.ts'

const HELP = `npm run bench:incidents [-- --alerts N]: how long a running "npm run dev" takes from webhook to 202, and to the note

  --alerts N   alerts of each kind (default 40): one at a time, then ten at once

Send it events first (npm run demo), or there is little to diagnose. Each alert is for a service of its own, so that none is folded.`

const AT_ONCE = 10
const NOTE_TIMEOUT_MS = 30_000

type Measured = { readonly takenMs: number; readonly noteMs: number }

async function measure(dev: Dev, pager: Pager, service: string): Promise<Measured> {
  const startedMs = performance.now()
  const ref = await sendAlert(dev, pager, service)
  const takenMs = performance.now() - startedMs
  while ((await listNotes(dev, ref)).length === 0) {
    if (performance.now() - startedMs > NOTE_TIMEOUT_MS) throw new Error(`no note about ${ref}`)
    await sleep(10)
  }
  return { takenMs, noteMs: performance.now() - startedMs }
}

function report(name: string, measured: readonly Measured[]): void {
  const show = (pick: (one: Measured) => number) => {
    const sorted = measured.map(pick).toSorted((a, b) => a - b)
    return [0.5, 0.99].map((share) => `p${100 * share} ${Math.round(quantile(sorted, share))} ms`).join(', ')
  }
  console.log(`${name} (${measured.length} alerts): to 202 ${show(({ takenMs }) => takenMs)}; to the note ${show(({ noteMs }) => noteMs)}`)
}

function readOptions(args: readonly string[]): { readonly alerts: number; readonly help: boolean } {
  const options = { alerts: { type: 'string', default: '40' }, help: { type: 'boolean', default: false } } as const
  try {
    const { values } = parseArgs({ args: [...args], options })
    const alerts = Number(values.alerts)
    if (!Number.isInteger(alerts) || alerts < 1) throw new Error(`--alerts takes a whole number from 1, not "${values.alerts}"`)
    return { alerts, help: values.help }
  } catch (error) {
    throw new UsageError(`${error instanceof Error ? error.message : error}; try --help`)
  }
}

async function main(options: readonly string[]): Promise<void> {
  const { alerts, help } = readOptions(options)
  if (help) return console.log(HELP)
  const dev = await findDev()
  const pager = await connectPager(dev)
  const run = Date.now().toString(36)
  const alone: Measured[] = []
  for (let index = 0; index < alerts; index += 1) alone.push(await measure(dev, pager, `bench-${run}-${index}`))
  report('one at a time', alone)
  const together: Measured[] = []
  for (let index = 0; index < alerts; index += AT_ONCE) {
    const names = Array.from({ length: AT_ONCE }, (_, place) => `bench-${run}-together-${index + place}`)
    together.push(...(await Promise.all(names.map((name) => measure(dev, pager, name)))))
  }
  report('ten at once', together)
}

try {
  await main(process.argv.slice(2))
} catch (error) {
  if (!(error instanceof UsageError || error instanceof DemoError)) throw error
  console.error(error.message)
  process.exitCode = 1
}
