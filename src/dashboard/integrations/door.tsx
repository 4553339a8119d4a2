import { DOORS } from '../../domain/doors/index.ts'
import type { DoorType } from '../../domain/integration-type.ts'
import { toSetupValues } from '../connect/setup.ts'
import { Setup } from '../connect/snippet.tsx'
import type { IntegrationWords } from './words.ts'

/** What a page says of the integrations of a door, from its row. */
export function toDoorWords(type: DoorType): IntegrationWords {
  const { title, setup } = DOORS[type]
  return {
    title,
    directions: { inbound: 'Deliveries come in', bidirectional: 'Deliveries come in', outbound: 'Deliveries come in' },
    from: undefined,
    map: {
      example: 'acme/checkout = checkout',
      hint: 'A name of the sender’s and the name of the service here, one pair a line. Without one, the sender’s own name is taken.',
    },
    Setup: ({ webhookUrl, token }) => (
      <li>
        <h3>Paste this</h3>
        <div class="prose">
          <Setup setup={setup} values={toSetupValues(type, new URL(webhookUrl).origin, token)} />
        </div>
      </li>
    ),
  }
}
