import { z } from '@hono/zod-openapi'
import {
  type ConfigPatch,
  DIRECTIONS,
  HEADER_NAME_PATTERN,
  MASK,
  MAX_ENVIRONMENTS,
  MAX_WAIT_SECONDS,
  SECRET_PATTERN,
  type SecretPatch,
  type SettingsPatch,
  WEBHOOK_SECRET_PATTERN,
} from '../../domain/access/integration.ts'
import { EXTERNAL_ID_PATTERN, findMapFaults, MAX_MAP_BYTES, MAX_MAPPED_SERVICES, type MapFault } from '../../domain/access/service-map.ts'
import { MAX_ENVIRONMENT_LENGTH } from '../../domain/event/environment.ts'
import { SECRET_SETTINGS, type SecretSetting } from '../../domain/integration-type.ts'
import { name } from '../schemas.ts'
import { RECEIVER_CONFIG, RECEIVER_CONFIG_ERRORS, toReceiverSettings } from './receiver-config.ts'

/** The mask, sent back, changes nothing. */
const secret = (field: string, pattern: RegExp, minLength: number, maxLength = 512) => {
  const error = `${field} must be ${minLength} to ${maxLength} printable ASCII characters without spaces`
  return z
    .string({ error: `${field} must be a string` })
    .regex(new RegExp(`${pattern.source}|^\\*{${MASK.length}}$`), { error })
    .max(maxLength, { error })
    .nullish()
    .transform((text) => (text === MASK ? undefined : text))
}

const SECRET_BODIES = {
  pagerduty_token: secret('pagerduty_token', SECRET_PATTERN, 1),
  webhook_secret: secret('webhook_secret', WEBHOOK_SECRET_PATTERN, 16),
  url: secret('url', SECRET_PATTERN, 1, 2_048).openapi({ description: 'Where a receiver is: https, and no private network’s' }),
  bot_token: secret('bot_token', SECRET_PATTERN, 1),
  grafana_token: secret('grafana_token', SECRET_PATTERN, 1),
  // Made here, for a `webhook`: what is sent is not taken.
  signing_secret: z
    .string()
    .nullish()
    .transform((): undefined => undefined),
} as const satisfies Record<SecretSetting, z.ZodType>

const MAP_ERRORS: Readonly<Record<MapFault, string>> = {
  id: 'a sender’s name must be 1 to 128 printable characters without an equals sign',
  name: 'a service name must be on one line',
  entries: `service_map must have at most ${MAX_MAPPED_SERVICES} entries`,
  bytes: `service_map must have at most ${MAX_MAP_BYTES} bytes of ids and names`,
}

const ServiceMapBody = z
  .record(z.string(), name('a service name').nullable(), { error: 'service_map must be an object of service names' })
  .superRefine((map, { addIssue }) => {
    for (const { fault, id } of findMapFaults(map))
      addIssue({ code: 'custom', message: MAP_ERRORS[fault], path: id === undefined ? [] : [id] })
  })
  .openapi({
    description: `Service names by the sender’s own (ids of PagerDuty’s, repositories, flags: \`${EXTERNAL_ID_PATTERN.source}\`), ${MAX_MAP_BYTES} bytes at most in all; null removes one`,
    maxProperties: MAX_MAPPED_SERVICES,
  })

const ENVIRONMENTS_ERROR = `environments must be 1 to ${MAX_ENVIRONMENTS} names of at most ${MAX_ENVIRONMENT_LENGTH} characters`
const WAIT_ERROR = `wait_seconds must be a whole number from 0 to ${MAX_WAIT_SECONDS}`
const HEADER_ERROR = 'signature_timestamp_header must be the name of a header'

/** How a door reads deliveries. */
const SETTINGS_BODIES = {
  service: name('service').nullish().openapi({ description: 'The service that deliveries concern where `service_map` names none' }),
  environments: z
    .array(z.string().trim().min(1).max(MAX_ENVIRONMENT_LENGTH), { error: ENVIRONMENTS_ERROR })
    .min(1, { error: ENVIRONMENTS_ERROR })
    .max(MAX_ENVIRONMENTS, { error: ENVIRONMENTS_ERROR })
    .nullish()
    .openapi({ description: 'The environments that are let in, instead of production alone' }),
  push: z
    .boolean({ error: 'push must be true or false' })
    .nullish()
    .openapi({ description: 'Whether a push to the default branch counts' }),
  wait_seconds: z
    .int({ error: WAIT_ERROR })
    .min(0, { error: WAIT_ERROR })
    .max(MAX_WAIT_SECONDS, { error: WAIT_ERROR })
    .nullish()
    .openapi({ description: 'How long an alert has to last before it is diagnosed and anybody is told' }),
  service_label: name('service_label').nullish().openapi({ description: 'The label of an alert that names its service' }),
  signature_timestamp_header: z.string({ error: HEADER_ERROR }).regex(HEADER_NAME_PATTERN, { error: HEADER_ERROR }).nullish(),
}

export const ConfigBody = z
  .object(
    {
      ...SECRET_BODIES,
      pagerduty_from: z.email({ error: 'pagerduty_from must be an e-mail address' }).max(320).nullish(),
      service_map: ServiceMapBody.nullish(),
      ...SETTINGS_BODIES,
      ...RECEIVER_CONFIG,
    },
    { error: 'config must be an object' },
  )
  .openapi('IntegrationConfig')

export const CONFIG_ERRORS = [
  { pointer: '/direction', detail: `direction must be ${DIRECTIONS.join(', ')}` },
  { pointer: '/config', detail: 'config must be an object' },
  { pointer: '/config/pagerduty_from', detail: 'pagerduty_from must be an e-mail address' },
  { pointer: '/config/webhook_secret', detail: 'webhook_secret must be 16 to 512 printable ASCII characters without spaces' },
  { pointer: '/config/service_map', detail: MAP_ERRORS.entries },
  { pointer: '/config/service_map', detail: MAP_ERRORS.bytes },
  { pointer: '/config/service_map/a=b', detail: MAP_ERRORS.id },
  { pointer: '/config/service_map/PIJ90N7', detail: MAP_ERRORS.name },
  { pointer: '/config/environments', detail: ENVIRONMENTS_ERROR },
  { pointer: '/config/wait_seconds', detail: WAIT_ERROR },
  { pointer: '/config/signature_timestamp_header', detail: HEADER_ERROR },
  ...RECEIVER_CONFIG_ERRORS,
  { pointer: '', detail: 'request body must be valid JSON' },
]

/** What a request asks to change. */
export function toPatch(config: z.infer<typeof ConfigBody>): ConfigPatch {
  const { pagerduty_from, service_map } = config
  const secrets: SecretPatch = Object.fromEntries(
    SECRET_SETTINGS.flatMap((field) => (config[field] === undefined ? [] : [[field, config[field]]])),
  )
  return {
    ...(pagerduty_from === undefined ? {} : { from: pagerduty_from }),
    ...(service_map === undefined ? {} : { serviceMap: service_map && trimNames(service_map) }),
    settings: { ...toSettings(config), ...toReceiverSettings(config) },
    secrets,
  }
}

function toSettings(config: z.infer<typeof ConfigBody>): SettingsPatch {
  const { service, environments, push, wait_seconds, service_label, signature_timestamp_header } = config
  return {
    ...(service !== undefined && { service: service?.trim() ?? null }),
    ...(environments !== undefined && { environments }),
    ...(push !== undefined && { push }),
    ...(wait_seconds !== undefined && { waitSeconds: wait_seconds }),
    ...(service_label !== undefined && { serviceLabel: service_label }),
    ...(signature_timestamp_header !== undefined && { signatureTimestampHeader: signature_timestamp_header }),
  }
}

function trimNames(map: NonNullable<z.infer<typeof ServiceMapBody>>) {
  return Object.fromEntries(Object.entries(map).map(([id, serviceName]) => [id, serviceName?.trim() ?? null]))
}
