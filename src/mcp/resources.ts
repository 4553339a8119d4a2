import { AppError } from '../domain/errors.ts'
import { type IncidentId, parseId } from '../domain/ids.ts'
import { quoteName } from '../domain/text.ts'
import { DAY_MS } from '../domain/timestamp.ts'
import { listIncidents } from '../store/incident-lists.ts'
import { type Call, INVALID_PARAMS, RpcError } from './call.ts'
import { readTold } from './incidents.ts'
import { toName } from './quoted.ts'
import { getService, tellContext } from './services.ts'

const JSON_TYPE = 'application/json'
const MAX_LISTED = 10
const INCIDENT_URI = /^noctuary:\/\/incidents\/([^/?#]+)$/
const CONTEXT_URI = /^noctuary:\/\/services\/([^/?#]+)\/context$/

export const RESOURCE_TEMPLATES = [
  {
    uriTemplate: 'noctuary://incidents/{id}',
    name: 'incident',
    title: 'An incident with its answer and evidence',
    mimeType: JSON_TYPE,
  },
  {
    uriTemplate: 'noctuary://services/{name}/context',
    name: 'service_context',
    title: 'What changed around a service',
    mimeType: JSON_TYPE,
  },
] as const

/** The day's latest incidents. */
export async function listResources({ deps, tenantId }: Call) {
  const since = new Date(deps.now().getTime() - DAY_MS).toISOString()
  const incidents = await listIncidents(deps.db, tenantId, { since, limit: MAX_LISTED })
  return {
    resources: incidents.map(({ id, serviceName, triggeredAt }) => ({
      uri: toIncidentUri(id),
      name: `incident ${id}`,
      title: `Incident of ${quoteName(toName(serviceName))}, ${triggeredAt.toISOString()}`,
      mimeType: JSON_TYPE,
    })),
  }
}

export async function readResource(call: Call, { uri }: Readonly<Record<string, unknown>>) {
  if (typeof uri !== 'string') throw new RpcError(INVALID_PARAMS, 'uri is required')
  try {
    return { contents: [{ uri, mimeType: JSON_TYPE, text: JSON.stringify(await readUri(call, uri)) }] }
  } catch (error) {
    if (error instanceof AppError && error.code === 'not_found') throw new RpcError(INVALID_PARAMS, error.message, { uri })
    throw error
  }
}

async function readUri(call: Call, uri: string): Promise<Readonly<Record<string, unknown>>> {
  const [, incident] = INCIDENT_URI.exec(uri) ?? []
  if (incident !== undefined) return readIncident(call, incident)
  const [, service] = CONTEXT_URI.exec(uri) ?? []
  if (service === undefined) throw new AppError('not_found', 'no such resource')
  const { id } = await getService(call, decode(service))
  return tellContext(call, id, undefined, true)
}

/** An incident in full, as the resource has it. */
export async function readIncident(call: Call, text: string): Promise<Readonly<Record<string, unknown>>> {
  const id = parseId<IncidentId>(text)
  if (id === undefined) throw new AppError('not_found', 'no such incident')
  return await readTold(call, id, true)
}

export function toIncidentUri(id: string): string {
  return `noctuary://incidents/${id}`
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw new AppError('not_found', 'no such resource')
  }
}
