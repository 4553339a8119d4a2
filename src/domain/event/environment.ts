export const MAX_ENVIRONMENT_LENGTH = 64

/** Where the page's samples happen: nothing of it counts anywhere else, and ten minutes later it is gone. */
export const SAMPLE_ENVIRONMENT = 'noctuary-sample'

const PRODUCTION: ReadonlySet<string> = new Set(['production', 'prod', 'prd', 'live'])

/**
 * An environment as it is kept and shown: without blanks around it, and production, whose spellings are many, in one of them.
 * `null` for what is blank: production, though it was not said.
 */
export function toEnvironment(text: string): string | null {
  const name = text.normalize('NFC').trim()
  if (name === '') return null
  return PRODUCTION.has(name.toLowerCase()) ? 'production' : name
}

/** What spellings of one environment share, whatever their case; what names none is production. */
export function toEnvironmentKey(text: string | null | undefined): string {
  return (toEnvironment(text ?? '') ?? 'production').toLowerCase()
}

/** Whether two environments are one. */
export function isSameEnvironment(a: string | null | undefined, b: string | null | undefined): boolean {
  return toEnvironmentKey(a) === toEnvironmentKey(b)
}
