import { createRoute, z } from '@hono/zod-openapi'
import type { Deps } from '../../deps.ts'
import { AppError } from '../../domain/errors.ts'
import { type MaintenanceId, toId } from '../../domain/ids.ts'
import { parseTimestamp } from '../../domain/timestamp.ts'
import { endMaintenance, listMaintenance, type MaintenanceWindow, TOO_MANY_WINDOWS } from '../../store/maintenance.ts'
import { findService } from '../../store/services.ts'
import { planWindow } from '../../usecases/plan-maintenance.ts'
import { requireKey, requirePrincipal, SECURITY } from '../auth.ts'
import { decodeBody } from '../body.ts'
import { createRouter, toTrail } from '../context.ts'
import { chanceOf, REPEAT_REFUSALS, REPEATABLE, REPLAYED_HEADER, repeatable } from '../idempotency.ts'
import { problemOf, problems } from '../problem.ts'
import { EXAMPLE_IDS, getPathId, IdParams, Instant, json, jsonBody, name, optionalName, Uuid } from '../schemas.ts'

const MAX_DAYS = 31

const WHOSE_ERROR = 'either service or team is required, and not both'
const FROM_ERROR = 'from must be ISO 8601'
const UNTIL_ERROR = 'until must be ISO 8601'
const ORDER_ERROR = `until must be later than from, by at most ${MAX_DAYS} days`

export const MaintenanceBody = z
  .strictObject({
    id: Uuid,
    service: z.string().nullable(),
    team: z.string().nullable(),
    from: Instant,
    until: Instant,
    reason: z.string().nullable(),
    created_at: Instant,
  })
  .openapi('MaintenanceWindow')

const PlanBody = z
  .object({
    service: name('service').nullish().openapi({ description: 'By its name; or a team' }),
    team: name('team').nullish().openapi({ description: 'Of all its services; or a service' }),
    from: z.string({ error: FROM_ERROR }).nullish().openapi({ description: 'ISO 8601; now by default' }),
    until: z.string({ error: UNTIL_ERROR }).openapi({ description: 'ISO 8601, not included' }),
    reason: optionalName('reason'),
  })
  .openapi('PlanMaintenance')

const EXAMPLE = {
  id: EXAMPLE_IDS.maintenance,
  service: 'checkout',
  team: null,
  from: '2026-01-15T22:00:00.000Z',
  until: '2026-01-15T23:00:00.000Z',
  reason: 'database upgrade',
  created_at: '2026-01-15T10:23:42.117Z',
}

const common = { tags: ['Maintenance'], security: [...SECURITY.readonly] }

const list = createRoute({
  ...common,
  security: [...SECURITY.viewer],
  operationId: 'listMaintenance',
  method: 'get',
  path: '/v1/maintenance',
  summary: 'List maintenance windows',
  responses: {
    200: json(z.array(MaintenanceBody), 'The tenant’s windows that have not ended, the next first', [EXAMPLE]),
    ...problems('unauthorized', 'forbidden', 'unavailable'),
  },
})

const plan = createRoute({
  ...common,
  ...REPEATABLE,
  operationId: 'planMaintenance',
  method: 'post',
  path: '/v1/maintenance',
  summary: 'Plan a maintenance window',
  description: 'Incidents of the service, or of the team’s services, that begin in it are diagnosed, and nobody is told.',
  request: {
    body: jsonBody(PlanBody, {
      service: 'checkout',
      from: '2026-01-15T22:00:00Z',
      until: '2026-01-15T23:00:00Z',
      reason: 'database upgrade',
    }),
  },
  responses: {
    201: { ...json(MaintenanceBody, 'The window', EXAMPLE), headers: REPLAYED_HEADER },
    ...problems(...REPEAT_REFUSALS, 'unauthorized', 'forbidden', 'not_found', 'unavailable'),
    ...problemOf(
      'invalid_request',
      { pointer: '/service', detail: WHOSE_ERROR },
      { pointer: '/from', detail: FROM_ERROR },
      { pointer: '/until', detail: UNTIL_ERROR },
      { pointer: '/until', detail: ORDER_ERROR },
    ),
    ...problemOf('not_found', { pointer: '/service', detail: 'no such service' }),
    ...problemOf('conflict', { pointer: '', detail: TOO_MANY_WINDOWS }),
  },
})

const end = createRoute({
  ...common,
  operationId: 'endMaintenance',
  method: 'delete',
  path: '/v1/maintenance/{id}',
  summary: 'End a maintenance window early',
  description: 'What began within it stays untold.',
  request: { params: IdParams },
  responses: {
    204: { description: 'Ended, now or before' },
    ...problems('unauthorized', 'forbidden', 'not_found', 'unavailable'),
    ...problemOf('not_found', { pointer: '', detail: 'no such maintenance window' }),
  },
})

export const maintenanceRoutes = (deps: Deps) => {
  const router = createRouter()
  router.use('/v1/maintenance/*', requireKey(deps), requirePrincipal(deps, 'readonly'))
  router.on('POST', plan.path, decodeBody, repeatable(deps))

  return router
    .openapi(list, async (c) => c.json((await listMaintenance(deps.db, c.var.principal.tenantId)).map(toMaintenanceBody), 200))
    .openapi(plan, async (c) => {
      const { tenantId } = c.var.principal
      const { service, team, from, until, reason } = c.req.valid('json')
      if (((service ?? null) === null) === ((team ?? null) === null)) throw refuse('/service', WHOSE_ERROR)
      const window = {
        id: toId<MaintenanceId>(chanceOf(c, deps).newUuid()),
        team: team?.trim() ?? null,
        ...readTimes({ from, until }, deps.now()),
        reason,
      }
      const known = service ? await findService(deps.db, tenantId, { name: service }) : undefined
      if (service && !known)
        throw new AppError('not_found', 'no such service', { fields: [{ pointer: '/service', detail: 'no such service' }] })
      return c.json(toMaintenanceBody(await planWindow(deps, tenantId, { ...window, service: known?.name ?? null }, toTrail(c))), 201)
    })
    .openapi(end, async (c) => {
      const id = getPathId<MaintenanceId>(c.req.valid('param').id, 'maintenance window')
      await endMaintenance(deps.db, c.var.principal.tenantId, id, toTrail(c))
      return c.body(null, 204)
    })
}

function readTimes(
  { from, until }: Pick<z.infer<typeof PlanBody>, 'from' | 'until'>,
  now: Date,
): Pick<MaintenanceWindow, 'from' | 'until'> {
  const begins = readInstant('/from', from, FROM_ERROR) ?? now
  const ends = readInstant('/until', until, UNTIL_ERROR)
  if (!ends) throw refuse('/until', UNTIL_ERROR)
  const isInOrder = ends > begins && ends.getTime() - begins.getTime() <= MAX_DAYS * 86_400_000
  if (!isInOrder) throw refuse('/until', ORDER_ERROR)
  return { from: begins, until: ends }
}

function readInstant(pointer: string, text: string | null | undefined, error: string): Date | undefined {
  const parsed = parseTimestamp(text)
  if (parsed.kind === 'absent') return undefined
  if (parsed.kind === 'instant') return new Date(parsed.instant)
  throw refuse(pointer, error)
}

const refuse = (pointer: string, detail: string) => new AppError('invalid_request', detail, { fields: [{ pointer, detail }] })

export function toMaintenanceBody({
  id,
  service,
  team,
  from,
  until,
  reason,
  createdAt,
}: MaintenanceWindow): z.infer<typeof MaintenanceBody> {
  return {
    id,
    service,
    team,
    from: from.toISOString(),
    until: until.toISOString(),
    reason,
    created_at: createdAt.toISOString(),
  }
}
