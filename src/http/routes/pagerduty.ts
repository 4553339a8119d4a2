import { createRoute, z } from '@hono/zod-openapi'
import type { Deps } from '../../deps.ts'
import { receivePagerDuty } from '../../usecases/receive-pagerduty.ts'
import { readBytes, requireJson } from '../body.ts'
import { createRouter, deferTo } from '../context.ts'
import { refuseStranger } from '../limits.ts'
import { problems } from '../problem.ts'

const header = (name: string, description: string, example: string) => ({
  name,
  in: 'header' as const,
  description,
  schema: { type: 'string' as const },
  example,
})

const FAILURES = problems('invalid_request', 'unauthorized', 'not_found', 'payload_too_large', 'unsupported_media_type', 'unavailable')

const webhook = createRoute({
  operationId: 'receivePagerDuty',
  tags: ['Webhooks'],
  summary: 'Take a delivery of PagerDuty’s',
  description:
    'A delivery of a PagerDuty V3 webhook subscription. Types other than `incident.triggered`, `.acknowledged` and `.resolved` change nothing.',
  method: 'post',
  path: '/webhooks/pagerduty/{token}',
  parameters: [
    header('X-PagerDuty-Signature', 'Needed when a `webhook_secret` is set; one match of several is enough', `v1=${'0f'.repeat(32)}`),
    header('X-Webhook-Id', 'The same at every redelivery, which changes nothing', '1d2c3b4a-aaaa-bbbb-cccc-1234567890ab'),
  ],
  request: {
    params: z.object({ token: z.string().openapi({ param: { name: 'token', in: 'path' }, example: 'tok_…' }) }),
    body: {
      required: true,
      content: {
        'application/json': {
          // Described rather than validated by a schema: the signature is over the raw bytes.
          schema: { type: 'object' as const, required: ['event'], properties: { event: { type: 'object' as const } } },
          example: {
            event: {
              id: '01D7V3KQ2M8T4ZPX',
              event_type: 'incident.triggered',
              resource_type: 'incident',
              occurred_at: '2026-02-03T14:20:11.482Z',
              data: {
                id: 'Q1NCIDENT0042',
                number: 4711,
                title: 'Error rate above 5 % on Payments API',
                status: 'triggered',
                html_url: 'https://acme.pagerduty.com/incidents/Q1NCIDENT0042',
                service: { id: 'PPAY001', summary: 'Payments API' },
                urgency: 'high',
                created_at: '2026-02-03T14:20:10Z',
              },
            },
          },
        },
      },
    },
  },
  responses: {
    202: { description: 'Taken: what follows from it is stored, and done after this answer' },
    ...FAILURES,
  },
})

export const pagerDutyRoutes = (deps: Deps) =>
  createRouter().openapi(webhook, async (c) => {
    refuseStranger(deps, c)
    requireJson(c)
    await receivePagerDuty(deps, {
      token: c.req.valid('param').token,
      body: await readBytes(c),
      signature: c.req.header('X-PagerDuty-Signature'),
      deliveryId: c.req.header('X-Webhook-Id'),
      defer: deferTo(c),
    })
    return c.body(null, 202)
  })
