declare const brand: unique symbol
type Branded<Name extends string> = string & { readonly [brand]: Name }

export type TenantId = Branded<'tenant'>
export type ApiKeyId = Branded<'api_key'>
export type AgentId = Branded<'agent'>
export type ServiceId = Branded<'service'>
export type EventId = Branded<'event'>
export type IntegrationId = Branded<'integration'>
export type IncidentId = Branded<'incident'>
export type SessionId = Branded<'session'>
export type AuditEntryId = Branded<'audit_entry'>
export type MaintenanceId = Branded<'maintenance'>
export type ShareId = Branded<'share'>

export type AnyId =
  | TenantId
  | ApiKeyId
  | AgentId
  | ServiceId
  | EventId
  | IntegrationId
  | IncidentId
  | SessionId
  | AuditEntryId
  | MaintenanceId
  | ShareId

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

/** A lower-case UUID as a branded id; `undefined` when the text is anything else. */
export function parseId<Id extends AnyId>(text: string): Id | undefined {
  const id = text.toLowerCase()
  return UUID.test(id) ? toId<Id>(id) : undefined
}

/** Whether a value is an id in the form in which it is stored. */
export function isId<Id extends AnyId>(value: unknown): value is Id {
  return typeof value === 'string' && UUID.test(value)
}

/** Brands a UUID that comes from a store or from this system's own id source. */
export function toId<Id extends AnyId>(uuid: string): Id {
  return uuid as Id
}
