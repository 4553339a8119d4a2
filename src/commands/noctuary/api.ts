import { type ArgsDef, type CommandDef, defineCommand } from 'citty'
import { field } from '../../domain/json.ts'
import { isIdentifier, toPrintable, toQuotable } from '../../domain/text.ts'
import { CommandError } from '../command-error.ts'

/** How a command ends: what a script is told by its exit code. */
export const EXIT = { done: 0, refused: 1, usage: 2, unreachable: 3 } as const

/** A command that knows all that it is told: of what is misspelt it would do the opposite without a word. */
export const defineVerb = <Args extends ArgsDef>(verb: CommandDef<Args> & { readonly args: Args }): CommandDef<Args> =>
  defineCommand({ ...verb, setup: ({ args }) => assertKnown(args, verb.args) })

/** What is parsed has a name of several words in camel case, too. */
const toKebab = (name: string): string => name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)

function assertKnown(args: Readonly<Record<string, unknown>> & { readonly _: readonly string[] }, known: ArgsDef): void {
  const unknown = Object.keys(args).find((name) => name !== '_' && !Object.hasOwn(known, name) && !Object.hasOwn(known, toKebab(name)))
  if (unknown !== undefined) throw new CommandError(`there is no option --${toPlain(unknown)}; --help tells what there is`, EXIT.usage)
  const places = Object.values(known).filter(({ type }) => type === 'positional').length
  const more = args._[places]
  if (more !== undefined) throw new CommandError(`"${toPlain(more)}" is one too many; --help tells what there is`, EXIT.usage)
}

type Call = {
  readonly method?: 'GET' | 'POST'
  readonly query?: Readonly<Record<string, string | undefined>>
  readonly headers?: Readonly<Record<string, string>>
  /** Sent as JSON. */
  readonly body?: unknown
}

const TIMEOUT_MS = 15_000

/**
 * Asks the API at `NOCTUARY_URL` with the key `NOCTUARY_KEY`, and returns what it answers, decoded. Throws a `CommandError`: for
 * a refusal in its words, for trouble of its own or none at all as unreachable.
 */
export async function callApi(path: string, { method = 'GET', query = {}, headers = {}, body }: Call = {}): Promise<unknown> {
  const url = new URL(path, getBase())
  for (const [name, value] of Object.entries(query)) if (value !== undefined) url.searchParams.set(name, value)
  const key = process.env['NOCTUARY_KEY']?.trim()
  if (!key)
    throw new CommandError('NOCTUARY_KEY is not set: an ingest key to send with, a read-only or viewer key to read with', EXIT.usage)
  if (!/^[\x21-\x7e]+$/.test(key)) throw new CommandError('NOCTUARY_KEY is no key: it is more than one word', EXIT.usage)
  const response = await fetch(url, {
    method,
    headers: { Authorization: `Bearer ${key}`, ...(body === undefined ? {} : { 'Content-Type': 'application/json' }), ...headers },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    signal: AbortSignal.timeout(TIMEOUT_MS),
  }).catch((error: unknown) => {
    throw new CommandError(`${url.origin} does not answer: ${toReason(error)}`, EXIT.unreachable)
  })
  const text = await response.text()
  const answer = parse(text)
  if (response.ok) return answer
  const detail = field(answer, 'detail')
  const isTheirs = response.status >= 500 || response.status === 429
  throw new CommandError(
    `${response.status}: ${typeof detail === 'string' ? detail : text.slice(0, 200)}`,
    isTheirs ? EXIT.unreachable : EXIT.refused,
  )
}

function getBase(): string {
  const base = process.env['NOCTUARY_URL'] ?? ''
  if (/^https?:\/\//.test(base) && URL.canParse(base)) return base
  throw new CommandError('NOCTUARY_URL is not set to an address such as https://noctuary.example.com', EXIT.usage)
}

function toReason(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return error.cause instanceof Error ? error.cause.message || error.message : error.message
}

function parse(text: string): unknown {
  try {
    return text === '' ? undefined : JSON.parse(text)
  } catch {
    return undefined
  }
}

/** Foreign text on one line, without what a terminal would obey. */
export const toPlain = toPrintable

/** Foreign text in a line of ours: bare when it is plainly a name, else between quotation marks. */
export function toQuoted(text: string): string {
  const line = toPlain(text).trim()
  return isIdentifier(line) ? line : `"${toQuotable(line)}"`
}

/** JSON, in which what a terminal would obey is spelt out. */
export const toJson = (value: unknown, indent?: number): string =>
  JSON.stringify(value, null, indent).replace(/(?!\n)[\p{C}\p{Zl}\p{Zp}]/gu, (unseen) => unseen.split('').map(toEscape).join(''))

const toEscape = (unit: string): string => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`

export const JSON_FLAG = { json: { type: 'boolean', description: 'Print JSON, for programs', default: false } } as const
