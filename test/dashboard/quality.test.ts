import { sql } from 'drizzle-orm'
import { expect, test } from 'vitest'
import { createTestTenant } from '../support/app.ts'
import { signIn, startSite } from '../support/site.ts'

const site = startSite()
const { app } = site

test('how good answers were is told in counts that are true of few and of nearly all', async () => {
  const tenant = await createTestTenant(app)
  const visitor = await signIn(site, tenant.readonlyKey)
  const readSaid = async () => {
    const html = await (await visitor.get('/settings/quality')).text()
    return [...html.matchAll(/<li>([^<]*)<\/li>/g)].map(([, sentence]) => sentence)
  }
  const { id } = await (await app.request('/v1/incidents', { key: tenant.readonlyKey, body: { service: 'checkout', create: true } })).json()
  await app.settle()
  const judged = await app.request(`/v1/incidents/${id}/feedback`, { key: tenant.readonlyKey, method: 'PUT', body: { confirmed: true } })
  expect(judged.status).toBe(204)
  expect(await readSaid()).toContain('Of the latest 1 answer, 1 named no cause, because nothing on record explained the incident.')

  await app.deps.db.execute(sql`WITH others AS (
      INSERT INTO incidents (id, tenant_id, service_id, service_name, title, triggered_at, created_at, resolved_at)
      SELECT gen_random_uuid(), tenant_id, service_id, service_name, title, triggered_at, created_at, now() FROM incidents, generate_series(1, 399)
      WHERE id = ${id} RETURNING id)
    INSERT INTO diagnoses (incident_id, number, tenant_id, made_at, diagnosed_by, hypothesis, confidence, abstained, answer, context_snapshot, is_snapshot_whole, signature)
    SELECT o.id, 1, tenant_id, made_at, diagnosed_by, hypothesis, confidence, row_number() OVER () > 1, answer, context_snapshot, is_snapshot_whole, signature
    FROM diagnoses, others o WHERE incident_id = ${id}`)
  expect(await readSaid()).toContain('Of the latest 400 answers, 399 named no cause, because nothing on record explained the incident.')

  // What was said of answers that have been given again says nothing, however much of it there is.
  await app.deps.db.execute(sql`INSERT INTO diagnoses (incident_id, number, tenant_id, made_at, diagnosed_by, hypothesis, confidence, abstained, answer,
      context_snapshot, is_snapshot_whole, signature, verdict, verdict_at, verdict_by)
    SELECT d.incident_id, g.number, d.tenant_id, made_at, diagnosed_by, hypothesis, confidence, abstained, answer, context_snapshot, is_snapshot_whole, signature,
      CASE WHEN g.number < 5 THEN 'rejected' END, CASE WHEN g.number < 5 THEN now() END, CASE WHEN g.number < 5 THEN 'operator' END
    FROM diagnoses d, generate_series(2, 5) g(number) WHERE d.tenant_id = ${tenant.tenantId} AND d.incident_id <> ${id}`)
  expect(await readSaid()).toContain('Of the latest 1 answer that somebody judged, 1 was right.')

  await app.deps.db.execute(sql`INSERT INTO incidents (id, tenant_id, service_id, service_name, title, triggered_at, created_at, resolved_at)
    SELECT gen_random_uuid(), tenant_id, service_id, service_name, title, triggered_at + interval '1 second', created_at, now()
    FROM incidents, generate_series(1, 1000) WHERE id = ${id}`)
  expect((await readSaid()).filter((sentence) => sentence?.startsWith('Of '))).toEqual([
    'Of the latest 1 answer that somebody judged, 1 was right.',
    'Of 1 judged answer that was 80 % sure or more, 1 was right.',
  ])
})
