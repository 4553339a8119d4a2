import { z } from '@hono/zod-openapi'
import { DIRECTIONS, type Integration, MASK, toWebhookPath } from '../../domain/access/integration.ts'
import { INTEGRATION_TYPES, type SecretSetting } from '../../domain/integration-type.ts'
import { EXAMPLE_IDS, Instant, Uuid } from '../schemas.ts'
import { RECEIVER_CONFIG_ANSWER, toReceiverConfig } from './receiver-config.ts'

export const IntegrationTypeName = z.enum(INTEGRATION_TYPES, { error: `type must be ${INTEGRATION_TYPES.join(', ')}` })
export const DirectionName = z.enum(DIRECTIONS, { error: `direction must be ${DIRECTIONS.join(', ')}` })

const masked = z
  .string()
  .nullable()
  .openapi({ description: `\`${MASK}\` where a secret is set`, example: MASK })

const MASKED_SECRETS = {
  pagerduty_token: masked,
  webhook_secret: masked,
  url: masked,
  bot_token: masked,
  grafana_token: masked,
  signing_secret: masked,
} as const satisfies Record<SecretSetting, z.ZodType>

/** How telling a receiver went, the last time. */
const TellingBody = z
  .strictObject({
    at: Instant,
    outcome: z.string().openapi({ example: 'told' }),
    failing_since: Instant.nullable(),
    switched_off: z.string().nullable().openapi({ description: 'Why nothing is told any more, until `config` changes' }),
  })
  .openapi('IntegrationTelling')

const INTEGRATION_FIELDS = {
  id: Uuid,
  tenant_id: Uuid,
  type: IntegrationTypeName,
  direction: DirectionName,
  token: z.string().openapi({ description: `\`${MASK}\` to a viewer’s key, here and in \`webhook_url\``, example: 'tok_…' }),
  config: z.strictObject({
    ...MASKED_SECRETS,
    pagerduty_from: z.string().nullable(),
    service_map: z.record(z.string(), z.string()),
    service: z.string().nullable(),
    environments: z.array(z.string()).nullable(),
    push: z.boolean().nullable(),
    wait_seconds: z.int().nullable(),
    service_label: z.string().nullable(),
    signature_timestamp_header: z.string().nullable(),
    ...RECEIVER_CONFIG_ANSWER,
  }),
  created_at: Instant,
  webhook_url: z.string(),
  telling: TellingBody.nullable(),
}

export const IntegrationBody = z.strictObject(INTEGRATION_FIELDS).openapi('Integration')

export const CreatedBody = z
  .strictObject({
    ...INTEGRATION_FIELDS,
    secret: z.string().optional().openapi({
      description: 'Of a `webhook` that is new, or has a new one: what its messages are signed with, this once',
      example: 'whsec_…',
    }),
  })
  .openapi('CreatedIntegration')

export const EXAMPLE_CONFIG = {
  pagerduty_token: 'y_NbAkKc66ryYTWUXYEu',
  pagerduty_from: 'oncall@example.com',
  service_map: { PIJ90N7: 'payments-api' },
}

export const EXAMPLE_INTEGRATION = {
  id: EXAMPLE_IDS.integration,
  tenant_id: EXAMPLE_IDS.tenant,
  type: 'pagerduty' as const,
  direction: 'bidirectional' as const,
  token: 'tok_…',
  config: {
    ...EXAMPLE_CONFIG,
    pagerduty_token: MASK,
    webhook_secret: null,
    service: null,
    environments: null,
    push: null,
    wait_seconds: null,
    service_label: null,
    signature_timestamp_header: null,
    url: null,
    bot_token: null,
    grafana_token: null,
    signing_secret: null,
    ...toReceiverConfig({}),
  },
  created_at: '2026-01-15T09:00:00.000Z',
  webhook_url: 'https://api.noctuary.io/webhooks/pagerduty/tok_…',
  telling: null,
}

/** An integration as it is answered, its secrets masked. `base`: where the caller reached us; `token`: as the caller may see it. */
export function toIntegrationBody(integration: Integration, base: string, token: string): z.infer<typeof IntegrationBody> {
  const { id, tenantId, type, direction, from, serviceMap, settings, secrets, createdAt, telling } = integration
  const mask = (sealed: string | undefined) => (sealed === undefined ? null : MASK)
  return {
    id,
    tenant_id: tenantId,
    type,
    direction,
    token,
    config: {
      pagerduty_token: mask(secrets.pagerduty_token),
      pagerduty_from: from,
      webhook_secret: mask(secrets.webhook_secret),
      url: mask(secrets.url),
      bot_token: mask(secrets.bot_token),
      grafana_token: mask(secrets.grafana_token),
      signing_secret: mask(secrets.signing_secret),
      service_map: serviceMap,
      service: settings.service ?? null,
      environments: settings.environments ? [...settings.environments] : null,
      push: settings.push ?? null,
      wait_seconds: settings.waitSeconds ?? null,
      service_label: settings.serviceLabel ?? null,
      signature_timestamp_header: settings.signatureTimestampHeader ?? null,
      ...toReceiverConfig(settings),
    },
    created_at: createdAt.toISOString(),
    webhook_url: `${base}${toWebhookPath(integration, token)}`,
    telling: telling && {
      at: telling.at.toISOString(),
      outcome: telling.outcome,
      failing_since: telling.failingSince?.toISOString() ?? null,
      switched_off: telling.switchedOff,
    },
  }
}
