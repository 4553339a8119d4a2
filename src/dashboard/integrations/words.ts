import type { FC } from 'hono/jsx'
import type { Direction, Integration } from '../../domain/access/integration.ts'

export type SetupProps = { readonly integration: Integration; readonly webhookUrl: string; readonly token: string }

/** What a page says of one type of integration. */
export type IntegrationWords = {
  readonly title: string
  readonly directions: Readonly<Record<Direction, string>>
  /** The label of the account in whose name is written; `undefined`: there is none. */
  readonly from: string | undefined
  /** How its services are mapped; `undefined`: they are not. */
  readonly map: { readonly example: string; readonly hint: string } | undefined
  /** How to set it up, as list items. */
  readonly Setup: FC<SetupProps>
}
