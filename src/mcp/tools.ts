import { AppError } from '../domain/errors.ts'
import { EVENT_TYPES } from '../domain/event/event.ts'
import { toAppError } from '../http/problem.ts'
import type { Arguments } from './arguments.ts'
import { type Call, INVALID_PARAMS, RpcError } from './call.ts'
import { diagnoseTool, findSimilarTool, getIncidentTool, giveFeedbackTool, listIncidentsTool } from './incidents.ts'
import { getChangesTool, getContextTool, getDependenciesTool, listServicesTool } from './services.ts'

type Tool = {
  readonly title: string
  readonly description: string
  readonly properties: Readonly<Record<string, Readonly<Record<string, unknown>>>>
  readonly required?: readonly string[]
  /** What it changes, if it does more than read. */
  readonly changes?: { readonly idempotentHint: boolean }
  readonly run: (call: Call, args: Arguments) => Promise<Readonly<Record<string, unknown>>>
}

const text = (description: string) => ({ type: 'string', description })
const TIME = 'ISO 8601'
const SERVICE = text('Name')
const INCIDENT = text('Incident id')
const DETAIL = { type: 'string', enum: ['compact', 'full'] }

const TOOLS: Readonly<Record<string, Tool>> = {
  list_incidents: {
    title: 'List incidents',
    description: 'Incidents with their latest answer, newest first; of the last 7 days by default.',
    properties: {
      service: SERVICE,
      since: text(TIME),
      status: { type: 'string', enum: ['open', 'resolved'] },
      limit: { type: 'integer', minimum: 1, maximum: 50 },
    },
    run: listIncidentsTool,
  },
  get_incident: {
    title: 'Get an incident',
    description:
      'Why it happened and what to do: likely cause with confidence, recommended action, cited events, other hypotheses, what was ruled out.',
    properties: { id: INCIDENT, detail: DETAIL },
    required: ['id'],
    run: getIncidentTool,
  },
  get_changes: {
    title: 'Get changes',
    description:
      'What changed across all services, newest first: deploys, flags, configuration, schemas, scale; other event types on demand. The last hour by default.',
    properties: {
      service: text('Only this service'),
      since: text(TIME),
      until: text(TIME),
      types: { type: 'array', items: { type: 'string', enum: EVENT_TYPES } },
      detail: DETAIL,
    },
    run: getChangesTool,
  },
  get_service_context: {
    title: 'Get a service’s context',
    description: 'What changed around a service and what goes wrong there, now or as of an instant.',
    properties: { service: SERVICE, at: text(TIME), detail: DETAIL },
    required: ['service'],
    run: getContextTool,
  },
  list_services: {
    title: 'List services',
    description: 'Services by name.',
    properties: { query: text('Part of the name') },
    run: listServicesTool,
  },
  get_dependencies: {
    title: 'Get dependencies',
    description: 'Which services a service calls, and which call it; declared, or learned from failing calls.',
    properties: { service: SERVICE },
    required: ['service'],
    run: getDependenciesTool,
  },
  find_similar_incidents: {
    title: 'Find similar incidents',
    description: 'Past incidents like this one that an engineer judged, with what was confirmed or rejected as their cause.',
    properties: { id: INCIDENT },
    required: ['id'],
    run: findSimilarTool,
  },
  diagnose: {
    title: 'Diagnose a service now',
    description: 'Opens an incident for a service that misbehaves and answers its likely cause. Look at list_incidents first.',
    properties: { service: SERVICE, title: text('What is wrong'), triggered_at: text(`When it was noticed, ${TIME}`) },
    required: ['service'],
    changes: { idempotentHint: false },
    run: diagnoseTool,
  },
  give_feedback: {
    title: 'Confirm or reject an answer',
    description:
      'Keeps an engineer’s verdict on an incident’s latest answer; later diagnoses learn from it. Only when an engineer said so.',
    properties: { id: INCIDENT, confirmed: { type: 'boolean' } },
    required: ['id', 'confirmed'],
    changes: { idempotentHint: true },
    run: giveFeedbackTool,
  },
}

/** The tools that the caller's key may use, as `tools/list` tells them. */
export function toolsFor({ mayChange }: Pick<Call, 'mayChange'>) {
  return Object.entries(TOOLS)
    .filter(([, { changes }]) => mayChange || !changes)
    .map(([name, { title, description, properties, required = [], changes }]) => ({
      name,
      title,
      description,
      inputSchema: { type: 'object', properties, ...(required.length === 0 ? {} : { required }) },
      annotations: changes
        ? { readOnlyHint: false, destructiveHint: false, openWorldHint: false, ...changes }
        : { readOnlyHint: true, openWorldHint: false },
    }))
}

/** Runs a tool. What a caller can mend is the tool's answer, for its model to read; what is ours is an error of the protocol. */
export async function callTool(call: Call, { name, arguments: args }: Readonly<Record<string, unknown>>) {
  const tool = typeof name === 'string' && Object.hasOwn(TOOLS, name) ? TOOLS[name] : undefined
  if (!tool) throw new RpcError(INVALID_PARAMS, 'no such tool')
  if (typeof (args ?? {}) !== 'object' || Array.isArray(args)) throw new RpcError(INVALID_PARAMS, 'arguments must be an object')
  try {
    if (tool.changes && !call.mayChange) throw new AppError('forbidden', 'a read-only key is required')
    const result = await tool.run(call, Object(args ?? {}))
    return { content: [{ type: 'text', text: JSON.stringify(result) }], structuredContent: result }
  } catch (error) {
    const known = toAppError(error)
    if (!known) throw error
    return { content: [{ type: 'text', text: known.message }], isError: true }
  }
}
