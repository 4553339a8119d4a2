import { parseArgs } from 'node:util'
import type { Disturbance } from './diagnosis-disturb.ts'
import { UsageError } from './usage-error.ts'

export type Options = {
  readonly mode: 'run' | 'fit' | 'speed' | 'help'
  readonly files: readonly string[]
  readonly disturbance: Disturbance
  readonly bootstrap: { readonly resamples: number; readonly seed: string }
  /** How many incidents to generate. */
  readonly incidents: number
  readonly out: string | undefined
  readonly isJson: boolean
  readonly isWritten: boolean
}

/** What would be left unread. */
const UNREAD = {
  run: ['write'],
  fit: ['noise', 'merge', 'skew', 'out'],
  speed: ['cases', 'noise', 'merge', 'skew', 'resamples', 'generate', 'out', 'fit', 'write'],
  help: [],
} as const satisfies Record<Options['mode'], readonly string[]>

/** What the command line asks for; throws a `UsageError` when it is not clear. */
export function readOptions(): Options {
  const { values, positionals } = parseCommandLine()
  const { noise = '0', skew = '0', seed = '1', resamples = '1000', generate = '100', cases = [], out } = values
  const mode = values.help ? 'help' : values.speed ? 'speed' : values.fit ? 'fit' : 'run'
  const files = [...cases, ...positionals]
  const given = new Set([...Object.keys(values), ...(files.length > 0 ? ['cases'] : [])])
  refuseUnread(mode, given)
  return {
    mode,
    files,
    disturbance: {
      noise: toNumber('noise', noise, 0, 1_000),
      isMerged: given.has('merge'),
      skewSeconds: toNumber('skew', skew, 0, 86_400),
      seed,
    },
    bootstrap: { resamples: toCount('resamples', resamples, 1), seed },
    incidents: toCount('generate', generate, given.has('cases') ? 0 : 1),
    out,
    isJson: given.has('json'),
    isWritten: given.has('write'),
  }
}

function refuseUnread(mode: Options['mode'], given: ReadonlySet<string>): void {
  const unread = UNREAD[mode].find((name) => given.has(name))
  if (unread === 'write') throw new UsageError('--write takes --fit')
  if (unread) throw new UsageError(`--${mode} takes no --${unread}`)
  if (mode === 'run' && given.has('cases') && given.has('generate')) throw new UsageError('--generate beside --cases takes --fit')
}

function parseCommandLine() {
  const text = { type: 'string' } as const
  const flag = { type: 'boolean' } as const
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        cases: { ...text, multiple: true },
        noise: text,
        skew: text,
        seed: text,
        resamples: text,
        generate: text,
        out: text,
        merge: flag,
        json: flag,
        fit: flag,
        write: flag,
        speed: flag,
        help: flag,
      },
    })
  } catch (error) {
    // What Node says after this is about arguments that begin with a dash.
    throw error instanceof TypeError ? new UsageError(error.message.replace(/[.\n]\s*To specify.*/s, '')) : error
  }
}

const MAX_COUNT = 100_000

function toCount(name: string, text: string, from: number): number {
  const count = toNumber(name, text, from, MAX_COUNT)
  if (!Number.isInteger(count)) throw new UsageError(`--${name} takes a whole number, not ${text}`)
  return count
}

function toNumber(name: string, text: string, from: number, to: number): number {
  const number = text.trim() === '' ? Number.NaN : Number(text)
  if (!(number >= from && number <= to)) throw new UsageError(`--${name} takes a number from ${from} to ${to}, not ${JSON.stringify(text)}`)
  return number
}
