import { AppError } from '../domain/errors.ts'
import type { AnyId } from '../domain/ids.ts'
import { parseId } from '../domain/ids.ts'
import { toStorableText } from '../domain/text.ts'
import { parseTimestamp } from '../domain/timestamp.ts'

/** The arguments of a tool, as its caller sent them. */
export type Arguments = Readonly<Record<string, unknown>>

const refuse = (detail: string) => new AppError('invalid_request', detail)

/** A text that may be absent; blank is absent. */
export function readText(args: Arguments, name: string): string | undefined {
  const value = args[name] ?? undefined
  if (value === undefined) return undefined
  if (typeof value !== 'string') throw refuse(`${name} must be a text`)
  return value.trim() === '' ? undefined : toStorableText(value)
}

export function getText(args: Arguments, name: string): string {
  const text = readText(args, name)
  if (text === undefined) throw refuse(`${name} is required`)
  return text
}

export function getId<Id extends AnyId>(args: Arguments, name: string): Id {
  const id = parseId<Id>(getText(args, name))
  if (id === undefined) throw refuse(`${name} must be a UUID, as list_incidents tells it`)
  return id
}

export function getFlag(args: Arguments, name: string): boolean {
  const value = args[name]
  if (typeof value !== 'boolean') throw refuse(`${name} must be true or false`)
  return value
}

/** ISO 8601 in UTC, if it is there. */
export function readTime(args: Arguments, name: string): string | undefined {
  const parsed = parseTimestamp(readText(args, name))
  if (parsed.kind === 'absent') return undefined
  if (parsed.kind === 'instant') return parsed.instant
  throw refuse(`${name} must be ISO 8601`)
}

/** A whole number from 1 to `max`. */
export function readCount(args: Arguments, name: string, { fallback, max }: { readonly fallback: number; readonly max: number }): number {
  const value = args[name] ?? fallback
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 1) throw refuse(`${name} must be a whole number from 1 to ${max}`)
  return Math.min(value, max)
}

export function readChoice<Choice extends string>(args: Arguments, name: string, choices: readonly Choice[]): Choice | undefined {
  const text = readText(args, name)
  if (text === undefined) return undefined
  const choice = choices.find((each) => each === text)
  if (choice === undefined) throw refuse(`${name} must be one of ${choices.join(', ')}`)
  return choice
}

export function readChoices<Choice extends string>(
  args: Arguments,
  name: string,
  choices: readonly Choice[],
): readonly Choice[] | undefined {
  const value = args[name] ?? undefined
  if (value === undefined) return undefined
  const chosen = Array.isArray(value) ? choices.filter((choice) => value.includes(choice)) : []
  if (!Array.isArray(value) || value.some((each) => !choices.some((choice) => choice === each)))
    throw refuse(`${name} must be a list of ${choices.join(', ')}`)
  return chosen.length === 0 ? undefined : chosen
}
