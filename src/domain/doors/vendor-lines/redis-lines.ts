import type { LineEvent, LineVerdict, LogLine } from './line.ts'

/** `1:M 15 Jan 2024 10:23:41.123 # …`: the role is a letter, the level a sign. */
const LINE = /^\d{1,10}:[A-Z] \d\d? [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d(?:\.\d{3})? [-.*#] (.*)/s
const POLICY = /^maxmemory-policy: ([\w-]{1,64})/

type Reading = Pick<LineEvent, 'type' | 'new' | 'confidence' | 'ttlSeconds'>

const READINGS: readonly (readonly [start: string, reading: Reading])[] = [
  ['maxmemory limit reached', { type: 'saturation', new: 'eviction_active', confidence: 0.85, ttlSeconds: 900 }],
  ["Can't save in background", { type: 'saturation', new: 'bgsave_failed', confidence: 0.92, ttlSeconds: 1_800 }],
  ['Connecting to MASTER', { type: 'dependency_failure', new: 'replica_master_unreachable', confidence: 0.88, ttlSeconds: 1_800 }],
  ['MASTER <-> REPLICA sync started', { type: 'dependency_failure', new: 'replica_sync', confidence: 0.82, ttlSeconds: 1_800 }],
  ['Ready to accept connections', { type: 'restart', new: 'started', confidence: 0.9, ttlSeconds: 1_800 }],
  ['User requested shutdown', { type: 'restart', new: 'shutdown', confidence: 0.88, ttlSeconds: 1_800 }],
  ['SIGTERM received', { type: 'restart', new: 'shutdown', confidence: 0.88, ttlSeconds: 1_800 }],
  ['Received SIGTERM', { type: 'restart', new: 'shutdown', confidence: 0.88, ttlSeconds: 1_800 }],
  ['Redis is now ready to exit', { type: 'restart', new: 'shutdown', confidence: 0.88, ttlSeconds: 1_800 }],
  ['Out Of Memory allocating', { type: 'restart', new: 'oom_killed', confidence: 0.95, ttlSeconds: 1_800 }],
]

/** Redis' own log. */
export function readRedisLine({ text }: LogLine): LineVerdict {
  const message = LINE.exec(text)?.[1]
  if (message === undefined) return 'foreign'
  const policy = POLICY.exec(message)?.[1]
  const reading = READINGS.find(([start]) => message.startsWith(start))?.[1]
  if (policy !== undefined) {
    return { type: 'saturation', vendor: 'redis', service: 'redis', new: `eviction_active:${policy}`, confidence: 0.85, ttlSeconds: 900 }
  }
  return reading ? { vendor: 'redis', service: 'redis', ...reading } : 'quiet'
}
