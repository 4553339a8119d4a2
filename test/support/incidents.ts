import { sql } from 'drizzle-orm'
import { finishIncidents } from '../../src/usecases/finish-incidents.ts'
import { runSweep } from '../../src/usecases/run-sweep.ts'
import { createTestTenant, startApp, type TestTenant } from './app.ts'
import { type Fuse, startFaultProxy } from './fault-proxy.ts'
import { startOwnStack } from './own-stack.ts'
import { connectPager, deliver, listNotes, makeDelivery, newRef, type Pager } from './pagerduty.ts'

export type Body = Readonly<Record<string, unknown>>

export const inMinutes = (minutes: number) => new Date(Date.now() + 60_000 * minutes)

/** An app over a stack of the file's own, for a cron tick is of all tenants, with what tests of incidents ask of it. */
export async function startDesk() {
  const stack = await startOwnStack()
  const app = startApp({ stack })
  /** What would be tried again within the tick is left to the next. */
  const ticking = { ...app.deps, rest: async () => {} }
  const sweep = (minutes: number) => runSweep(ticking, inMinutes(minutes))
  /** A tick's part in incidents, which is a third of its work. Answers how many pieces there were. */
  const tick = (minutes: number) => finishIncidents(ticking, inMinutes(minutes))
  const incidentsOf = async (tenant: TestTenant) =>
    (await (await app.request('/v1/incidents', { key: tenant.readonlyKey })).json()) as Body[]
  const detailOf = async (tenant: TestTenant) => {
    const [incident] = await incidentsOf(tenant)
    return await (await app.request(`/v1/incidents/${incident?.['id']}`, { key: tenant.readonlyKey })).json()
  }
  const notesOf = (ref: string) => listNotes(ref, stack)

  async function start(): Promise<{ tenant: TestTenant; pager: Pager }> {
    const tenant = await createTestTenant(app)
    return { tenant, pager: await connectPager(app, tenant) }
  }

  /** A tenant with an incident that was answered at once. */
  async function startAnswered() {
    const { tenant, pager } = await start()
    const ref = newRef()
    await deliver(app, pager, makeDelivery({ ref }))
    await app.settle()
    return { tenant, ref }
  }

  async function countDiagnoses(tenant: TestTenant): Promise<number> {
    const { rows } = await app.deps.db.execute<{ count: number }>(
      sql`SELECT count(*)::int AS count FROM diagnoses WHERE tenant_id = ${tenant.tenantId}`,
    )
    return rows[0]?.count ?? Number.NaN
  }

  /** An isolate whose requests stop getting through after so many, to Postgres and the pager alike. */
  async function startMortal(fuse: Fuse) {
    const [database, pagerDuty] = [await startFaultProxy(stack.databaseEndpoint, fuse), await startFaultProxy(stack.pagerDutyUrl, fuse)]
    return startApp({ stack, database: database.url, bindings: { PAGERDUTY_API_URL: pagerDuty.url } }, { rest: async () => {} })
  }

  return { stack, app, sweep, tick, incidentsOf, detailOf, notesOf, start, startAnswered, countDiagnoses, startMortal }
}
