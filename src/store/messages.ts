import { sql } from 'drizzle-orm'
import type { IncidentId, IntegrationId, TenantId } from '../domain/ids.ts'
import { toId } from '../domain/ids.ts'
import { maskVerdictLinks } from '../domain/telling/verdict-link.ts'
import { appendAudit } from './audit.ts'
import type { ClaimedWork } from './incident-work.ts'
import { type Db, epochMs } from './postgres.ts'

/** Notes what is about to be sent to a receiver that cannot be asked later; `false`: the lease is another's by now. */
export async function beginMessage(db: Db, { tenantId, incidentId, lease }: ClaimedWork, content: string): Promise<boolean> {
  const { rows } = await db.execute(
    sql`UPDATE incident_work SET content = ${content}
      WHERE tenant_id = ${tenantId} AND incident_id = ${incidentId} AND kind <> 'diagnosis' AND lease = ${lease}::uuid RETURNING 1`,
  )
  return rows.length === 1
}

/** Notes that a receiver has a message, how it reads and what it is called there, unless someone else has by now. */
export async function recordMessage(
  db: Db,
  { tenantId, incidentId, lease }: ClaimedWork,
  { content, ref }: { readonly content: string; readonly ref: string | undefined },
): Promise<void> {
  await db.execute(
    sql`WITH changed AS (
      UPDATE incident_work SET state = 'done', lease = NULL, reason = NULL, content = ${content}, remote_ref = ${ref ?? null}, done_at = now()
      WHERE tenant_id = ${tenantId} AND incident_id = ${incidentId} AND kind <> 'diagnosis' AND lease = ${lease}::uuid RETURNING incident_id AS id
    )
    ${appendAudit(tenantId, { actor: 'noctuary', requestId: null }, 'note.posted', sql`changed`)}`,
  )
}

/** A message to a receiver, as it stands. */
export type SentMessage = {
  readonly incidentId: IncidentId
  readonly kind: ClaimedWork['kind']
  readonly state: 'due' | 'queued' | 'done' | 'given_up'
  readonly attempts: number
  readonly reason: string | null
  /** Its links to give a verdict masked. */
  readonly content: string | null
  readonly doneAt: Date | null
}

type SentRow = Omit<SentMessage, 'incidentId' | 'doneAt'> & { readonly incident_id: string; readonly done_ms: number | null }

const MAX_LISTED_MESSAGES = 10

/** The latest messages to an integration, newest first, ten at most. */
export async function listMessages(db: Db, tenantId: TenantId, integrationId: IntegrationId): Promise<SentMessage[]> {
  const { rows } = await db.execute<SentRow>(
    sql`SELECT incident_id, kind, state, attempts, reason, content, ${epochMs(sql`done_at`)} AS done_ms FROM incident_work
      WHERE tenant_id = ${tenantId} AND target = ${integrationId} AND target <> '00000000-0000-0000-0000-000000000000'
      ORDER BY next_at DESC, incident_id, kind, number LIMIT ${MAX_LISTED_MESSAGES}`,
  )
  return rows.map(({ incident_id, done_ms, ...row }) => ({
    ...row,
    content: row.content && maskVerdictLinks(row.content),
    incidentId: toId(incident_id),
    doneAt: done_ms === null ? null : new Date(done_ms),
  }))
}
