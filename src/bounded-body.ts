/** Small enough that what one slice inflates to, a thousand times as much at most, is no harm. */
const SLICE_BYTES = 4_096
/** The steps by which the end of a member is looked for: within a slice, within a piece of it. */
const STEPS = [64, 1] as const
const MAX_MEMBERS = 64
/** Header and trailer of RFC 1952. */
const MIN_MEMBER_BYTES = 18

type Bytes = Uint8Array<ArrayBuffer>

/** Lets others have the isolate: goes on in another turn of the event loop. */
const nextTurn = () => new Promise<void>((resolve) => setTimeout(resolve, 0))

/** An event takes about as long, and six turns of the event loop: with a piece of long work in each it would be late by all of them. */
const BREATHER_MS = 4

/** Lets others have the isolate for as long as an event takes: between two pieces of long work, of about a millisecond each. */
export const breathe = () => new Promise<void>((resolve) => setTimeout(resolve, BREATHER_MS))

/** What a stream holds, if that is `maxBytes` at most; `undefined` for a longer one, whose rest is not read. */
export async function readBounded(stream: ReadableStream<Uint8Array> | null, maxBytes: number): Promise<Bytes | undefined> {
  const parts: Uint8Array[] = []
  let length = 0
  if (stream) {
    const reader = stream.getReader()
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      length += part.value.byteLength
      if (length > maxBytes) {
        reader.cancel().catch(() => {})
        return undefined
      }
      parts.push(part.value)
    }
  }
  return join(parts)
}

/** An answer as text, if that is `maxBytes` at most: malformed UTF-8 becomes U+FFFD. */
export async function readBoundedText(answer: Pick<Response, 'body' | 'headers' | 'text'>, maxBytes: number): Promise<string | undefined> {
  // The runtime holds a body to its declared length, unless it unzips it: no need to count.
  const declared = Number(answer.headers.get('Content-Length') ?? Number.NaN)
  if (declared <= maxBytes && !answer.headers.has('Content-Encoding')) return await answer.text()
  const bytes = await readBounded(answer.body, maxBytes)
  return bytes && new TextDecoder().decode(bytes)
}

/**
 * What gzip of one or several members (RFC 1952) inflates to, if that is `maxBytes` at most; `undefined` for more, which is
 * inflated hardly further. Zeros may follow the last member. Throws for anything else.
 */
export async function inflate(zipped: Bytes, maxBytes: number): Promise<Bytes | undefined> {
  const members: Bytes[] = []
  let rest = zipped
  let left = maxBytes
  do {
    if (members.length === MAX_MEMBERS) throw new Error('too many gzip members')
    const member = await inflateMember(rest, left)
    if (!member) return undefined
    members.push(member.bytes)
    left -= member.bytes.byteLength
    rest = rest.subarray(member.end)
  } while (rest.some((byte) => byte !== 0))
  return join(members)
}

type Member = { readonly bytes: Bytes; readonly end: number }

async function inflateMember(zipped: Bytes, maxBytes: number): Promise<Member | undefined> {
  let fed = await feed(zipped, maxBytes, zipped.byteLength, SLICE_BYTES)
  const isWhole = !fed.isRefused
  // workerd refuses what follows a member, with all that was written with it: ever smaller steps show where it ends.
  for (const step of isWhole ? [] : STEPS) {
    if (fed.bytes) fed = await feed(zipped, maxBytes, fed.end, step)
  }
  const { bytes, end, isRefused } = fed
  if (!bytes) return undefined
  if (isRefused === isWhole || !isSize(zipped, end, bytes.byteLength)) throw new Error('not gzip')
  return { bytes, end }
}

/** Whether what ends a member at that place says that it has this size. */
function isSize(zipped: Bytes, end: number, size: number): boolean {
  return end >= MIN_MEMBER_BYTES && new DataView(zipped.buffer, zipped.byteOffset).getUint32(end - 4, true) === size
}

type Fed = {
  /** `undefined` when there are too many. */
  readonly bytes: Bytes | undefined
  /** How much was taken before the decoder refused more. */
  readonly end: number
  readonly isRefused: boolean
}

/** Gives a decoder slices up to a place, and steps of so many bytes from there on, until it has too much or refuses. */
async function feed(zipped: Bytes, maxBytes: number, from: number, step: number): Promise<Fed> {
  const decoder = new DecompressionStream('gzip')
  const writer = decoder.writable.getWriter()
  const parts: Uint8Array[] = []
  let left = maxBytes
  const reading = drain(decoder.readable, (part) => {
    parts.push(part)
    left -= part.byteLength
    return left >= 0
  })
  const isFull = () => left < 0
  let end = 0
  let isRefused = false
  try {
    while (end < zipped.byteLength && !isFull()) {
      const size = end < from ? Math.min(SLICE_BYTES, from - end) : step
      await writer.write(zipped.subarray(end, end + size))
      end = Math.min(end + size, zipped.byteLength)
      // Nothing holds the decoder back but a turn of the event loop, in which what it made is read.
      if (size > STEPS[0] && end < zipped.byteLength) await nextTurn()
    }
    if (!isFull()) await writer.close()
  } catch {
    isRefused = true
  }
  await reading
  return { bytes: isFull() ? undefined : join(parts), end, isRefused: isRefused && !isFull() }
}

/** Hands over what a stream holds, until that is refused or the stream fails. */
async function drain(stream: ReadableStream<Uint8Array>, take: (part: Uint8Array) => boolean): Promise<void> {
  const reader = stream.getReader()
  try {
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      if (!take(part.value)) return void reader.cancel().catch(() => {})
    }
  } catch {
    // Whoever feeds it hears of it.
  }
}

function join(parts: readonly Uint8Array[]): Bytes {
  const bytes = new Uint8Array(parts.reduce((length, part) => length + part.byteLength, 0))
  let offset = 0
  for (const part of parts) {
    bytes.set(part, offset)
    offset += part.byteLength
  }
  return bytes
}
