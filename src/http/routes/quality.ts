import { createRoute, z } from '@hono/zod-openapi'
import type { Deps } from '../../deps.ts'
import { toQuality } from '../../domain/incident/quality.ts'
import { readVerdicts } from '../../store/verdicts.ts'
import { requireKey, requirePrincipal, SECURITY } from '../auth.ts'
import { createRouter } from '../context.ts'
import { problems } from '../problem.ts'
import { json } from '../schemas.ts'

const QualityBody = z
  .strictObject({
    verdicts: z.int(),
    confirmed: z.int(),
    rejected: z.int(),
    accuracy: z.number().nullable().openapi({ description: 'The confirmed share of the verdicts; null without any' }),
    brier: z.number().nullable().openapi({ description: 'The mean squared error of the answers’ chances to be right; 0 is best' }),
    abstained: z.number().nullable().openapi({ description: 'The share of the answers that blame nothing; null without any' }),
    reliability: z
      .array(z.strictObject({ from: z.number(), to: z.number(), answers: z.int(), confirmed: z.int() }))
      .openapi({ description: 'Judged answers by their chance to be right: of those given with 0.8, eight in ten should be confirmed' }),
  })
  .openapi('Quality')

const quality = createRoute({
  operationId: 'getQuality',
  tags: ['Incidents'],
  method: 'get',
  path: '/v1/quality',
  summary: 'Get how good answers turned out',
  description:
    'By the latest verdicts, each on the latest answer of its incident; `abstained` is of the newest incidents. A thousand of each at most. The chance that an answer is right is its `confidence`; ' +
    'of one that blames nothing, how likely the engine held it that no recorded change is to blame.',
  security: [...SECURITY.viewer],
  responses: {
    200: json(QualityBody, 'What engineers’ verdicts add up to', {
      verdicts: 10,
      confirmed: 8,
      rejected: 2,
      accuracy: 0.8,
      brier: 0.14,
      abstained: 0.2,
      reliability: [{ from: 0.8, to: 0.9, answers: 10, confirmed: 8 }],
    }),
    ...problems('unauthorized', 'forbidden', 'unavailable'),
  },
})

export const qualityRoutes = (deps: Deps) => {
  const router = createRouter()
  router.use(quality.path, requireKey(deps), requirePrincipal(deps, 'readonly'))

  return router.openapi(quality, async (c) => {
    const { judged, answers, abstained } = await readVerdicts(deps.db, c.var.principal.tenantId)
    const { reliability, ...figures } = toQuality(judged, { total: answers, abstained })
    return c.json({ ...figures, reliability: [...reliability] }, 200)
  })
}
