import { SAMPLE_SECONDS } from '../domain/doors/sample.ts'
import { type IncidentId, type IntegrationId, type TenantId, toId } from '../domain/ids.ts'
import type { DoorType } from '../domain/integration-type.ts'
import { isNumber, isOneOf, isText, parseJson } from '../domain/json.ts'
import { isTimeAgain, keys, type Redis, type RedisCommand, remember, type WaitingNote } from './redis.ts'

/** What became of a delivery: something was taken, nothing of it concerns us, or it was refused. */
export type DeliveryKind = 'taken' | 'ignored' | 'refused'

export type DeliveryOutcome = {
  readonly at: Date
  readonly kind: DeliveryKind
  /** `2 events`, `ignored: environment staging`, `wrong signature`: for people, without anything of the body but names. */
  readonly text: string
  /** The first that it opened. */
  readonly incidentId: IncidentId | undefined
}

/** Whose deliveries they are: an integration's or, with a key that people made, a sender's. */
export type Deliverer = IntegrationId | DoorType

/** The latest deliveries of one deliverer, and how many there were today (UTC). */
export type DoorDeliveries = {
  /** Newest first. */
  readonly latest: readonly DeliveryOutcome[]
  readonly today: Readonly<Record<DeliveryKind, number>>
  /** What became of the sample that the page sent last, for as long as anything of it is there. */
  readonly sample: DeliveryOutcome | undefined
}

const KEPT = 10
const LATEST_TTL_SECONDS = 30 * 86_400
const DAY_TTL_SECONDS = 2 * 86_400
const TRIM_EVERY_MS = 60_000

const toDay = (at: Date) => at.toISOString().slice(0, 10)

/** How long the note of a delivery that went as the one before waits for others. */
const FOLD_MS = 500
/** What is under way for longer has ended with its isolate's request. */
const PATIENCE_MS = 5_000

/**
 * Notes what became of a delivery; once a minute an isolate also forgets what is older than the last ten. Of each kind a deliverer's
 * first in half a second goes at once, and so does one that opened an incident; others follow in one request by its end, as one
 * count and the latest ten. `undefined`: another delivery's note takes this one along.
 */
export function recordDelivery(
  redis: Redis,
  rest: (ms: number) => Promise<void>,
  tenantId: TenantId,
  deliverer: Deliverer,
  outcome: DeliveryOutcome,
  id: string,
): Promise<void> | undefined {
  const { notes } = redis
  const { at, kind, incidentId } = outcome
  const news = `${keys.latestDeliveries(tenantId, deliverer)} ${kind}`
  const note = notes.waiting.get(news) ?? { tenantId, deliverer, kind, count: 0, latest: [] }
  note.count += 1
  note.latest.push([at.getTime(), toMember(outcome, id)])
  if (note.latest.length > KEPT) note.latest.shift()
  notes.waiting.set(news, note)
  if (incidentId !== undefined || isTimeAgain(redis, news, FOLD_MS, at)) return sendNotes(redis, news, at)
  if (notes.restingMs !== undefined && at.getTime() - notes.restingMs < PATIENCE_MS) return undefined
  notes.restingMs = at.getTime()
  return rest(FOLD_MS).then(() => {
    notes.restingMs = undefined
    return sendNotes(redis, news, at)
  })
}

async function sendNotes(redis: Redis, news: string, at: Date): Promise<void> {
  const { client, notes } = redis
  remember(redis, [news], at)
  const commands = [...notes.waiting.values()].flatMap((note) => toCommands(redis, note, at))
  notes.waiting.clear()
  if (commands.length > 0) await client.transact(commands)
}

function toCommands(redis: Redis, { tenantId, deliverer, kind, count, latest: members }: WaitingNote, at: Date): RedisCommand[] {
  const latest = keys.latestDeliveries(tenantId, deliverer)
  const day = keys.deliveriesOfDay(tenantId, deliverer, toDay(at))
  const told: RedisCommand[] = [
    ['ZADD', latest, ...members.flat()],
    ['HINCRBY', day, kind, count],
  ]
  if (!isTimeAgain(redis, day, TRIM_EVERY_MS, at)) return told
  remember(redis, [day], at)
  return [...told, ['ZREMRANGEBYRANK', latest, 0, -1 - KEPT], ['EXPIRE', latest, LATEST_TTL_SECONDS], ['EXPIRE', day, DAY_TTL_SECONDS]]
}

const toMember = ({ kind, text, incidentId }: DeliveryOutcome, id: string) => JSON.stringify([kind, text, id, incidentId])

/** Keeps what became of an integration's sample for as long as anything of it is there. */
export async function recordSample(redis: Redis, tenantId: TenantId, integrationId: IntegrationId, outcome: DeliveryOutcome) {
  const value = JSON.stringify([toMember(outcome, ''), outcome.at.getTime()])
  await redis.client.ask(['SET', keys.sample(tenantId, integrationId), value, 'EX', SAMPLE_SECONDS])
}

/** The latest deliveries of each of `whole`, and the very latest of each of `others`, in one request. */
export async function readDoorDeliveries(
  redis: Redis,
  tenantId: TenantId,
  { whole, others }: { readonly whole: readonly Deliverer[]; readonly others: readonly Deliverer[] },
  now: Date,
): Promise<ReadonlyMap<Deliverer, DoorDeliveries>> {
  const readLatest = (deliverer: Deliverer, count: number): RedisCommand => {
    return ['ZRANGE', keys.latestDeliveries(tenantId, deliverer), 0, count - 1, 'REV', 'WITHSCORES']
  }
  const commands = [
    ...whole.map((deliverer) => readLatest(deliverer, KEPT)),
    ...others.map((deliverer) => readLatest(deliverer, 1)),
    ...whole.map((deliverer): RedisCommand => ['HGETALL', keys.deliveriesOfDay(tenantId, deliverer, toDay(now))]),
    ...whole.map((deliverer): RedisCommand => ['GET', keys.sample(tenantId, deliverer)]),
  ]
  if (commands.length === 0) return new Map()
  const answers = await redis.client.transact(commands)
  const deliverers = [...whole, ...others]
  const rest = answers.slice(deliverers.length)
  return new Map(deliverers.map((one, place) => [one, toDeliveries(answers[place], rest[place], rest[whole.length + place])]))
}

function toDeliveries(latest: unknown, day: unknown, sample: unknown): DoorDeliveries {
  const counts = new Map(toPairs(day))
  const count = (kind: DeliveryKind) => Number(counts.get(kind) ?? 0)
  const kept = isText(sample) ? parseJson(sample) : undefined
  return {
    latest: toPairs(latest).flatMap(([member, score]) => toOutcomes(member, Number(score))),
    today: { taken: count('taken'), ignored: count('ignored'), refused: count('refused') },
    sample: isSample(kept) ? toOutcomes(...kept)[0] : undefined,
  }
}

const isSample = (value: unknown): value is [member: string, atMs: number] => Array.isArray(value) && isText(value[0]) && isNumber(value[1])

const isKind = isOneOf<DeliveryKind>(['taken', 'ignored', 'refused'])

/** What `toMember` wrote; of an earlier version without an incident. Nothing where it is nothing of the kind. */
function toOutcomes(member: string, atMs: number): DeliveryOutcome[] {
  const said = parseJson(member)
  const [kind, text, , incidentId]: unknown[] = Array.isArray(said) ? said : []
  if (!isKind(kind) || !isText(text)) return []
  return [{ at: new Date(atMs), kind, text, incidentId: isText(incidentId) ? toId<IncidentId>(incidentId) : undefined }]
}

function toPairs(answer: unknown): [string, string][] {
  const texts = Array.isArray(answer) ? answer.map(String) : []
  return texts.flatMap((text, place): [string, string][] => (place % 2 === 0 ? [[text, texts[place + 1] ?? '']] : []))
}
