import { parseArgs } from 'node:util'
import type { Disturbance } from './diagnosis-disturb.ts'
import { UsageError } from './usage-error.ts'

export type Options = {
  readonly mode: 'run' | 'stirred' | 'speed' | 'help'
  readonly paths: readonly string[]
  readonly disturbance: Disturbance
  /** Whether cases are also run in the standard disturbances. */
  readonly hasVariants: boolean
  readonly isLeftOut: boolean
  readonly hasBaselines: boolean
  readonly bootstrap: { readonly resamples: number; readonly seed: string }
  /** How many incidents to generate. */
  readonly incidents: number
  readonly out: string | undefined
  readonly isJson: boolean
}

/** What is asked for by a flag; of several the first. */
const MODES = ['help', 'speed', 'stirred'] as const

/** What would be left unread. */
const UNREAD = {
  run: [],
  stirred: ['as-given', 'left-out', 'baselines', 'resamples', 'out'],
  speed: [
    'cases',
    'noise',
    'merge',
    'skew',
    'background',
    'unlinked',
    'as-given',
    'left-out',
    'baselines',
    'resamples',
    'generate',
    'out',
    'stirred',
  ],
  help: [],
} as const satisfies Record<Options['mode'], readonly string[]>
const DISTURBING = ['noise', 'merge', 'skew', 'background', 'unlinked']

/** What the command line asks for; throws a `UsageError` when it is not clear. */
export function readOptions(): Options {
  const { values, positionals } = parseCommandLine()
  const { noise = '0', skew = '0', background = '0', seed = '1', resamples = '1000', generate = '100', cases = [], out } = values
  const mode = MODES.find((name) => values[name]) ?? 'run'
  const paths = [...cases, ...positionals]
  const given = new Set([...Object.keys(values), ...(paths.length > 0 ? ['cases'] : [])])
  const unread = UNREAD[mode].find((name) => given.has(name))
  if (unread) throw new UsageError(`--${mode} takes no --${unread}`)
  const isDisturbed = DISTURBING.some((name) => given.has(name))
  return {
    mode,
    paths,
    disturbance: {
      noise: toNumber('noise', noise, 0, 1_000),
      isMerged: given.has('merge'),
      background: toNumber('background', background, 0, 1_000),
      skewSeconds: toNumber('skew', skew, 0, 86_400),
      isUnlinked: given.has('unlinked'),
      seed,
    },
    hasVariants: !isDisturbed && !given.has('as-given'),
    isLeftOut: given.has('left-out'),
    hasBaselines: given.has('baselines'),
    bootstrap: { resamples: toCount('resamples', resamples, 1), seed },
    incidents: toCount('generate', generate, 0),
    out,
    isJson: given.has('json'),
  }
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
        background: text,
        seed: text,
        resamples: text,
        generate: text,
        out: text,
        merge: flag,
        unlinked: flag,
        'as-given': flag,
        'left-out': flag,
        baselines: flag,
        json: flag,
        stirred: flag,
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
