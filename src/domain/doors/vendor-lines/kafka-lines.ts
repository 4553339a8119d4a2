import type { LineVerdict, LogLine } from './line.ts'

/** `[2024-01-15 10:23:41,123] INFO …`; the logger's name ends the line, in brackets. */
const LINE = /^\[(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3})\] [A-Z]{4,5} (.*)/s
const REBALANCE = /(Preparing to rebalance|Stabilized) group (\S{1,512})/
const SHUTDOWN = /Broker (\d{1,9}) has requested controlled shutdown/

/** A Kafka broker's log. */
export function readKafkaLine({ text }: LogLine): LineVerdict {
  const [, timestamp, message] = LINE.exec(text) ?? []
  if (message === undefined) return 'foreign'
  const base = { vendor: 'kafka', service: 'kafka', timestamp }
  const [, phase, group] = REBALANCE.exec(message) ?? []
  if (group !== undefined) {
    const isPreparing = phase !== 'Stabilized'
    const value = isPreparing ? 'rebalance_triggered' : 'rebalance_complete'
    return { ...base, type: 'saturation', entity: group, new: value, confidence: isPreparing ? 0.9 : 0.88, ttlSeconds: 900 }
  }
  if (message.includes('Under-replicated partitions')) {
    return { ...base, type: 'dependency_failure', new: 'under_replicated_partitions', confidence: 0.92, ttlSeconds: 1_800 }
  }
  const broker = SHUTDOWN.exec(message)?.[1]
  if (broker === undefined) return 'quiet'
  return { ...base, type: 'restart', entity: `broker_${broker}`, new: 'controlled_shutdown', confidence: 0.88, ttlSeconds: 1_800 }
}
