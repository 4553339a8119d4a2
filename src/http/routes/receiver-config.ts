import { z } from '@hono/zod-openapi'
import type { IntegrationSettings, SettingsPatch } from '../../domain/access/integration.ts'
import { SUBSCRIBABLE } from '../../domain/integration-type.ts'
import { name } from '../schemas.ts'

const MAX_NAMES = 100
const SERVICES_ERROR = `services must be 1 to ${MAX_NAMES} names`
const TEAMS_ERROR = `teams must be 1 to ${MAX_NAMES} names`
const CONFIDENCE_ERROR = 'min_confidence must be a number from 0 to 1'
const ON_ERROR = `on must be a list of ${SUBSCRIBABLE.join(', ')}`
const CHANNEL_ERROR = 'channel must be 1 to 100 characters'

const Subscription = z.enum(SUBSCRIBABLE, { error: ON_ERROR })

/** What a receiver takes besides its secrets: where it writes, and which answers it lets pass. */
export const RECEIVER_CONFIG = {
  channel: z
    .string({ error: CHANNEL_ERROR })
    .regex(/^[\x21-\x7e]{1,100}$/, { error: CHANNEL_ERROR })
    .nullish()
    .openapi({ description: 'Slack with a bot’s token: the id of the channel' }),
  services: z
    .array(name('a service name'), { error: SERVICES_ERROR })
    .min(1, { error: SERVICES_ERROR })
    .max(MAX_NAMES, { error: SERVICES_ERROR })
    .nullish()
    .openapi({ description: 'A receiver is told of these services’ incidents only' }),
  teams: z
    .array(name('a team'), { error: TEAMS_ERROR })
    .min(1, { error: TEAMS_ERROR })
    .max(MAX_NAMES, { error: TEAMS_ERROR })
    .nullish()
    .openapi({ description: 'A receiver is told of the incidents of these teams’ services only' }),
  min_confidence: z
    .number({ error: CONFIDENCE_ERROR })
    .min(0, { error: CONFIDENCE_ERROR })
    .max(1, { error: CONFIDENCE_ERROR })
    .nullish()
    .openapi({ description: 'Answers less sure than that are not told' }),
  on: z
    .array(Subscription, { error: ON_ERROR })
    .min(1, { error: ON_ERROR })
    .nullish()
    .openapi({ description: 'What a receiver is told of, instead of all that it can be' }),
}

export const RECEIVER_CONFIG_ANSWER = {
  channel: z.string().nullable(),
  services: z.array(z.string()).nullable(),
  teams: z.array(z.string()).nullable(),
  min_confidence: z.number().nullable(),
  on: z.array(Subscription).nullable(),
}

export const RECEIVER_CONFIG_ERRORS = [
  { pointer: '/config/channel', detail: CHANNEL_ERROR },
  { pointer: '/config/services', detail: SERVICES_ERROR },
  { pointer: '/config/teams', detail: TEAMS_ERROR },
  { pointer: '/config/min_confidence', detail: CONFIDENCE_ERROR },
  { pointer: '/config/on', detail: ON_ERROR },
  { pointer: '/config/url', detail: 'url must be an https address' },
]

const Config = z.object(RECEIVER_CONFIG)

export function toReceiverSettings({ channel, services, teams, min_confidence, on }: z.infer<typeof Config>): SettingsPatch {
  return {
    ...(channel !== undefined && { channel }),
    ...(services !== undefined && { services: services?.map((one) => one.trim()) ?? null }),
    ...(teams !== undefined && { teams: teams?.map((one) => one.trim()) ?? null }),
    ...(min_confidence !== undefined && { minConfidence: min_confidence }),
    ...(on !== undefined && { on: on && [...new Set(on)] }),
  }
}

export function toReceiverConfig({ channel, services, teams, minConfidence, on }: IntegrationSettings) {
  return {
    channel: channel ?? null,
    services: services ? [...services] : null,
    teams: teams ? [...teams] : null,
    min_confidence: minConfidence ?? null,
    on: on ? [...on] : null,
  }
}
