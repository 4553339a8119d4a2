import { z } from '@hono/zod-openapi'
import { JOIN_RULES } from '../../domain/event/service-name.ts'
import { EventTypeName, EXAMPLE_IDS, Instant, Uuid } from '../schemas.ts'

const texts = z.array(z.string()).readonly()

const DetailsBody = z
  .strictObject({ title: z.string().optional(), files: texts.optional(), keys: texts.optional() })
  .openapi('EventDetails')

/** What a change says. */
export const changeFields = {
  id: Uuid,
  event_type: EventTypeName,
  vendor: z.string(),
  entity: z.string(),
  old_value: z.string().nullable(),
  new_value: z.string().nullable(),
  actor: z.string().nullable(),
  sha: z.string().nullable(),
  environment: z.string().nullable().openapi({ description: 'Where it happened; null, which means production, if none was sent' }),
  url: z.string().nullable(),
  details: DetailsBody.nullable(),
}

export const entryFields = {
  ...changeFields,
  confidence: z.number(),
  timestamp: Instant,
  first_timestamp: Instant,
  expires_at: Instant,
  count: z.int().openapi({ description: 'Occurrences of this change since it appeared' }),
  joined_by: z.enum(JOIN_RULES).openapi({ description: 'Why the event is in this window' }),
  redacted: z.literal(true).optional().openapi({ description: 'Something secret was masked in the event’s text' }),
}

const EntryBody = z.strictObject(entryFields).openapi('WindowEntry')

/** A window of such entries. */
export const windowFields = <Entry extends z.ZodType>(entry: Entry) => ({
  service: z.string(),
  deploy_events: z.array(entry),
  restart_events: z.array(entry),
  saturation_events: z.array(entry),
  flag_change_events: z.array(entry),
  circuit_open_events: z.array(entry),
  dependency_failure_events: z.array(entry),
  config_change_events: z.array(entry),
  schema_change_events: z.array(entry),
  scale_events: z.array(entry),
  updated_at: Instant.nullable().openapi({ description: 'The latest receipt of a live entry; null without one' }),
  partial: z
    .literal(true)
    .optional()
    .openapi({ description: 'There is more than 1,000 changes of a type, 3,000 in all or 4 MiB: these are the latest' }),
})

export const WindowBody = z.strictObject(windowFields(EntryBody)).openapi('StateWindow')

export const EXAMPLE_WINDOW = {
  service: 'checkout',
  deploy_events: [
    {
      id: EXAMPLE_IDS.event,
      event_type: 'deploy' as const,
      vendor: 'argocd',
      entity: 'checkout',
      old_value: null,
      new_value: 'succeeded',
      actor: null,
      sha: 'a4f2c1',
      environment: 'production',
      url: 'https://github.com/acme/checkout/actions/runs/7421',
      details: { title: 'Retry payments twice', files: ['src/payments.ts'] },
      confidence: 0.95,
      timestamp: '2026-01-15T10:23:41.000Z',
      first_timestamp: '2026-01-15T10:23:41.000Z',
      expires_at: '2026-01-15T10:53:42.117Z',
      count: 1,
      joined_by: 'service_name' as const,
    },
  ],
  restart_events: [],
  saturation_events: [],
  flag_change_events: [],
  circuit_open_events: [],
  dependency_failure_events: [],
  config_change_events: [],
  schema_change_events: [],
  scale_events: [],
  updated_at: '2026-01-15T10:23:42.117Z',
}
