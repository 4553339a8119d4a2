import { parseEvent } from '../../src/domain/event/parse.ts'
import { redactEvent } from '../../src/domain/event/redact.ts'
import { makeSpreadEvents } from './events.ts'

/** What masking costs: microseconds of processor time an event of this bench's kind, in a warm process. */
export function measureRedactionUs(): number {
  const events = makeSpreadEvents().flatMap((body) => {
    const parsed = parseEvent(body)
    return parsed.ok ? [parsed.event] : []
  })
  const rounds = Array.from({ length: 40 }, () => {
    const before = process.threadCpuUsage()
    for (const event of events) redactEvent(event)
    const { user, system } = process.threadCpuUsage(before)
    return (user + system) / events.length
  })
  return Math.min(...rounds.slice(10))
}
