import { type IntegrationId, toId } from '../domain/ids.ts'

/** Who is told: an integration, or `SOURCE`. */
export type Target = IntegrationId

/** Wherever the incident came from. */
export const SOURCE = toId<Target>('00000000-0000-0000-0000-000000000000')
