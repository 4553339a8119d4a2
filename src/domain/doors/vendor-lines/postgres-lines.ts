import type { LineEvent, LineVerdict, LogLine } from './line.ts'

/** `2024-01-15 10:23:41.123 UTC [1234] user@db LOG:  …`; the part before the level is the owner's `log_line_prefix`. */
const LINE =
  /^(?:(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d{1,6})? [A-Z]{1,5}) \[\d{1,10}\] (?:([^\s@]{1,63})@(\S{1,63}) )?)?(?:LOG|ERROR|FATAL|PANIC): {2}(.*)/s

/** Postgres logs what was slower than its owner set; below this it is not slow for us. */
const SLOW_QUERY_MS = 1_000
const SLOW_CHECKPOINT_SECONDS = 10
const BIG_TEMP_FILE_MB = 64
const MEBIBYTE = 1_048_576

const DURATION = /^duration: (\d{1,12}(?:\.\d{1,6})?) ms {2}/
const MAINTENANCE = /^automatic (vacuum|analyze) of table "([^"]{1,512})"/
const TEMP_FILE = /^temporary file: .{0,1024}? size (\d{1,18})\s*$/
const CHECKPOINT = /^checkpoint complete: .{0,1024}?\btotal=(\d{1,9}\.\d{1,6}) s/

type Reading = Pick<LineEvent, 'new' | 'confidence' | 'ttlSeconds'> & {
  readonly entity?: string
  readonly isActors?: true
  readonly type?: 'dependency_failure'
}

function readMessage(message: string): Reading | undefined {
  if (message.startsWith('deadlock detected')) return { new: 'deadlock_detected', confidence: 0.95, ttlSeconds: 1_200, isActors: true }
  if (message.startsWith('remaining connection slots are reserved') || message.startsWith('sorry, too many clients already')) {
    return { new: 'connection_limit_reached', confidence: 0.97, ttlSeconds: 900 }
  }
  if (message.startsWith('canceling statement due to lock timeout')) {
    return { new: 'lock_timeout', confidence: 0.93, ttlSeconds: 1_200, isActors: true }
  }
  if (message.startsWith('canceling statement due to statement timeout')) {
    return { new: 'statement_timeout', confidence: 0.93, ttlSeconds: 1_200, isActors: true }
  }
  if (message.startsWith('requested WAL segment') && message.includes('has already been removed')) {
    return { type: 'dependency_failure', new: 'replication_slot_invalidated', confidence: 0.9, ttlSeconds: 2_700, isActors: true }
  }
  return readMeasured(message)
}

function readMeasured(message: string): Reading | undefined {
  const duration = DURATION.exec(message)?.[1]
  if (duration !== undefined) {
    return Number(duration) < SLOW_QUERY_MS
      ? undefined
      : { new: `slow_query:${duration}ms`, confidence: 0.92, ttlSeconds: 1_200, isActors: true }
  }
  const [, work, table] = MAINTENANCE.exec(message) ?? []
  if (table !== undefined) {
    return work === 'vacuum'
      ? { new: 'autovacuum', entity: table, confidence: 0.88, ttlSeconds: 1_200 }
      : { new: 'autovacuum_analyze', entity: table, confidence: 0.82, ttlSeconds: 900 }
  }
  const megabytes = Math.floor(Number(TEMP_FILE.exec(message)?.[1] ?? 0) / MEBIBYTE)
  if (megabytes >= BIG_TEMP_FILE_MB) return { new: `temp_file:${megabytes}MB`, confidence: 0.83, ttlSeconds: 900, isActors: true }
  const seconds = CHECKPOINT.exec(message)?.[1]
  return seconds !== undefined && Number(seconds) >= SLOW_CHECKPOINT_SECONDS
    ? { new: `slow_checkpoint:${seconds}s`, confidence: 0.8, ttlSeconds: 1_800 }
    : undefined
}

/** PostgreSQL's server log. */
export function readPostgresLine({ text }: LogLine): LineVerdict {
  const match = LINE.exec(text)
  if (!match) return 'foreign'
  const [, timestamp, user, database, message = ''] = match
  const reading = readMessage(message)
  if (!reading) return 'quiet'
  const { isActors, type = 'saturation', entity = database, ...rest } = reading
  return { type, vendor: 'postgres', service: 'postgres', entity, actor: isActors ? user : undefined, timestamp, ...rest }
}
