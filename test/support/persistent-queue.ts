import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'
import type { IngestQueue } from '../../src/config.ts'
import type { QueuedMessage } from '../../src/usecases/store-queued.ts'

type Kept = { readonly body: unknown; readonly attempts: number }

export type PersistentQueue = IngestQueue & {
  /** Whether it takes messages. */
  isAway: boolean
  readonly list: () => readonly Kept[]
  /** Hands messages over, in any order, some twice: what is not acknowledged stays. */
  readonly deliver: (consume: (messages: readonly QueuedMessage[]) => Promise<unknown>) => Promise<void>
}

/** Cloudflare's, too, is an object with methods that work on it alone. */
class Message implements QueuedMessage {
  readonly body: unknown
  readonly attempts: number
  readonly #acknowledge: () => void

  constructor({ body, attempts }: Kept, acknowledge: () => void) {
    this.body = body
    this.attempts = attempts
    this.#acknowledge = acknowledge
  }

  ack(): void {
    this.#acknowledge()
  }

  retry(): void {
    if (!(#acknowledge in this)) throw new TypeError('Illegal invocation')
  }
}

/** What Cloudflare Queues are: what was taken is on disk before it is acknowledged, and stays there until it is acknowledged. */
export function createPersistentQueue(): PersistentQueue {
  const folder = mkdtempSync(join(tmpdir(), 'noctuary-queue-'))
  const file = join(folder, 'messages.ndjson')
  writeFileSync(file, '')
  afterAll(() => rmSync(folder, { recursive: true }))
  const list = () =>
    readFileSync(file, 'utf8')
      .split('\n')
      .filter((line) => line !== '')
      .map((line): Kept => JSON.parse(line))
  const queue: PersistentQueue = {
    isAway: false,
    list,
    sendBatch: async (messages) => {
      if (queue.isAway) throw new Error('the queue is away')
      const lines = messages.map(({ body }) => JSON.stringify({ body, attempts: 1 }))
      const tooLarge = lines.some((line) => Buffer.byteLength(line) > 128_000) || Buffer.byteLength(lines.join()) > 256_000
      if (tooLarge || messages.length > 100) throw new Error('too large')
      appendFileSync(file, lines.map((line) => `${line}\n`).join(''))
    },
    deliver: async (consume) => {
      const kept = [...list().entries()]
      const acked = new Set<number>()
      const handed = [...kept, ...kept.filter((_, place) => place % 3 === 0)].toSorted(() => Math.random() - 0.5)
      const messages = handed.map(([place, kept]) => new Message(kept, () => acked.add(place)))
      await consume(messages).catch(() => {})
      const left = kept
        .filter(([place]) => !acked.has(place))
        .map(([, { body, attempts }]) => JSON.stringify({ body, attempts: attempts + 1 }))
      writeFileSync(file, left.map((line) => `${line}\n`).join(''))
    },
  }
  return queue
}
