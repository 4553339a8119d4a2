import { parseEvent } from '../../src/domain/event/parse.ts'
import { redactEvent } from '../../src/domain/event/redact.ts'
import { makeSpreadEvents } from './events.ts'

const ROUNDS = 200

/** What masking costs: microseconds of processor time an event of this bench's kind, in a warm process. */
export function measureRedactionUs(): number {
  const events = makeSpreadEvents().flatMap((body) => {
    const parsed = parseEvent(body)
    return parsed.ok ? [parsed.event] : []
  })
  const redactAll = () => {
    for (let round = 0; round < ROUNDS; round += 1) events.map(redactEvent)
  }
  redactAll()
  const before = process.threadCpuUsage()
  redactAll()
  const { user, system } = process.threadCpuUsage(before)
  return (user + system) / (ROUNDS * events.length)
}
