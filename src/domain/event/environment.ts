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

/** A region, a cluster or a share of production, beside its name: `production-eu`, `us-east-1/prod`. */
const PLACE =
  '(?:(?:eu|us|uk|ap|apac|emea|na|sa|ca|me|af|asia|europe)(?:[-_ ]?[a-z]+)?(?:[-_ ]?\\d+[a-z]?)?|[a-z]?\\d{1,3}|[a-d]|blue|green|canary)'
const PART = new RegExp(`^(?:production|prod|prd|live)[-_ /.:]+(${PLACE})$|^(${PLACE})[-_ /.:]+(?:production|prod|prd|live)$`)

/** Whether two environments are one, or one of them production and the other a part of that. */
export function isSameEnvironment(a: string | null | undefined, b: string | null | undefined): boolean {
  const [one, other] = [toEnvironmentKey(a), toEnvironmentKey(b)]
  return one === other || (one === 'production' && PART.test(other)) || (other === 'production' && PART.test(one))
}
