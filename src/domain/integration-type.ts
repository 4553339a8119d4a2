/** Senders, each with a door that its deliveries come in by. */
export const DOOR_TYPES = [
  'deploy',
  'alertmanager',
  'grafana',
  'otlp',
  'github',
  'gitlab',
  'argocd',
  'argo-rollouts',
  'flux',
  'pagerduty-events',
  'pagerduty',
  'launchdarkly',
  'unleash',
  'cloudevents',
  'kubernetes-event-exporter',
  'kubewatch',
  'robusta',
  'datadog',
  'sentry',
  'incidentio',
  'rootly',
  'firehydrant',
  'betterstack',
] as const
export type DoorType = (typeof DOOR_TYPES)[number]

/** Outside systems that answers are told to. */
export const RECEIVER_TYPES = ['pagerduty', 'slack', 'teams', 'discord', 'grafana-annotations', 'webhook'] as const
export type ReceiverType = (typeof RECEIVER_TYPES)[number]

export const INTEGRATION_TYPES = [...new Set([...RECEIVER_TYPES, ...DOOR_TYPES])] as const
export type IntegrationType = DoorType | ReceiverType

/** The settings of an integration that are sealed at rest and masked in every answer. */
export const SECRET_SETTINGS = ['pagerduty_token', 'webhook_secret', 'url', 'bot_token', 'grafana_token', 'signing_secret'] as const
export type SecretSetting = (typeof SECRET_SETTINGS)[number]

/** All that is sealed: besides, what `signing_secret` took the place of and what goes on signing for a while, of which no answer tells. */
export const SECRET_FIELDS = [...SECRET_SETTINGS, 'earlier_signing_secrets'] as const
export type SecretField = (typeof SECRET_FIELDS)[number]

/** What a receiver may be told of. */
export const SUBSCRIBABLE = [
  'incident.opened',
  'incident.diagnosed',
  'incident.cause_changed',
  'incident.resolved',
  'incident.verdict',
] as const
export type Subscribable = (typeof SUBSCRIBABLE)[number]

/** What a message is about: besides, the rest of an answer for its thread, and that what was blamed was undone. */
export type MessageType = Subscribable | 'incident.details' | 'incident.undone' | 'test'
