import { setTimeout as sleep } from 'node:timers/promises'
import { defineCommand } from 'citty'
import { EVENT_TYPES } from '../../domain/event/event.ts'
import { CommandError } from '../command-error.ts'
import { callApi, defineVerb, EXIT, JSON_FLAG, toJson, toPlain, toQuoted } from './api.ts'

/** As `GET /v1/changes` has it. */
type Change = {
  readonly id: string
  readonly timestamp: string
  readonly service: string
  readonly event_type: string
  readonly entity: string
  readonly old_value: string | null
  readonly new_value: string | null
  readonly sha: string | null
  readonly actor: string | null
  readonly vendor: string
  readonly environment: string | null
}

const POLL_MS = 2_000
/** An event may be told late: what began so long before the last look may be news. */
const LATE_MS = 120_000
const PAGE = 100

/** Prints what begins to be so, oldest first, until it is ended; with `--once`, what began lately. */
const tail = defineVerb({
  meta: { name: 'tail', description: 'Print what begins to change or fail, as it comes (read-only or viewer key)' },
  args: {
    service: { type: 'string', description: 'Only this service' },
    types: { type: 'string', description: `Only these, with commas between them: ${EVENT_TYPES.join(', ')}` },
    minutes: { type: 'string', description: 'Begin so far back', default: '10' },
    once: { type: 'boolean', description: 'End with what there is by now', default: false },
    ...JSON_FLAG,
  },
  run: async ({ args }) => {
    const minutes = Number(args.minutes)
    if (!(minutes >= 0 && minutes <= 10_080)) throw new CommandError('--minutes takes a number from 0 to 10080', EXIT.usage)
    const query = { service: args.service, types: args.types ?? EVENT_TYPES.join(','), limit: String(PAGE) }
    const print = (change: Change) => console.log(args.json ? toJson(change) : toLine(change))
    const seen = new Set<string>()
    let since = await look({ ...query, since: new Date(Date.now() - 60_000 * minutes).toISOString() }, seen, print)
    while (!args.once) {
      await sleep(POLL_MS)
      since = await look({ ...query, since }, seen, print).catch((error: unknown) => {
        console.error(toHiccup(error))
        return since
      })
    }
  },
})

type Query = Readonly<Record<string, string | undefined>> & { readonly since: string }

/** Prints what is new, and returns since when to look again. */
async function look(query: Query, seen: Set<string>, print: (change: Change) => void): Promise<string> {
  const lookedMs = Date.now()
  for (const change of await listSince(query, seen)) {
    seen.add(change.id)
    print(change)
  }
  return new Date(Math.max(Date.parse(query.since), lookedMs - LATE_MS)).toISOString()
}

/** What was there once will be there again; anything else ends the command. */
function toHiccup(error: unknown): string {
  if (error instanceof CommandError && error.exitCode === EXIT.unreachable) return toPlain(error.message)
  throw error
}

/** What began and was not seen, oldest first, page by page. */
async function listSince(query: Query, seen: ReadonlySet<string>): Promise<readonly Change[]> {
  const found: Change[] = []
  for (let before: string | undefined; ; before = found.at(-1)?.id) {
    // `GET /v1/changes` answers a list of changes.
    const page = (await callApi('/v1/changes', { query: { ...query, before } })) as readonly Change[]
    found.push(...page)
    if (page.length < PAGE || page.every(({ id }) => seen.has(id))) return found.filter(({ id }) => !seen.has(id)).toReversed()
  }
}

function toLine({ timestamp, service, event_type, entity, old_value, new_value, sha, actor, vendor, environment }: Change): string {
  const values = [old_value, new_value].filter((value) => value !== null)
  const parts = [
    timestamp,
    toQuoted(service),
    event_type,
    entity === service ? '' : `of ${toQuoted(entity)}`,
    values.map(toQuoted).join(' → '),
    sha === null || values.some((value) => value.includes(sha)) ? '' : toQuoted(sha),
    environment === null ? '' : `in ${toQuoted(environment)}`,
    actor === null ? '' : `by ${toQuoted(actor)}`,
    `via ${toQuoted(vendor)}`,
  ]
  return parts.filter((part) => part !== '').join('  ')
}

export const events = defineCommand({ meta: { name: 'events', description: 'What happens' }, subCommands: { tail } })
