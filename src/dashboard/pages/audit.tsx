import type { Deps } from '../../deps.ts'
import { type AuditEntryId, parseId } from '../../domain/ids.ts'
import { type AuditEntry, listAudit } from '../../store/audit.ts'
import { toActorName } from '../labels.ts'
import { renderPage } from '../layout.tsx'
import { createPageRouter, readPage } from '../page-request.ts'
import { Age, Pages, SettingsHead, Table } from '../parts.tsx'

const PAGE_SIZE = 50

/** Who changed what and when. */
export const auditPages = (deps: Deps) =>
  createPageRouter().get('/settings/audit', async (c) => {
    const now = deps.now()
    const last = parseId<AuditEntryId>(c.req.query('after') ?? '')
    const start = last && { entry: last }
    const entries = await readPage(c, deps, (db, tenantId) => listAudit(db, tenantId, start, PAGE_SIZE + 1))
    const shown = entries.slice(0, PAGE_SIZE)
    const next = entries.length > PAGE_SIZE ? `/settings/audit?after=${shown.at(-1)?.id}` : undefined
    return renderPage(
      c,
      { title: 'Audit', now, tab: 'settings' },
      <>
        <SettingsHead at="/settings/audit" />
        {shown.length === 0 ? (
          <div class="empty">
            <h2>Nothing has been changed yet</h2>
            <p>Keys, sign-ins, integrations and verdicts leave an entry here, which is kept for {deps.retention.auditDays} days.</p>
          </div>
        ) : (
          <AuditTable entries={shown} now={now} />
        )}
        <Pages first={last && '/settings/audit'} next={next} />
      </>,
    )
  })

const TARGET_PATHS: Readonly<Record<string, string>> = { incident: '/incidents/', integration: '/settings/integrations/' }

const AuditTable = ({ entries, now }: { readonly entries: readonly AuditEntry[]; readonly now: Date }) => (
  <Table heads={['When', 'What', 'Which', 'Who', 'Request']}>
    {entries.map((entry) => (
      <tr>
        <td>
          <Age at={entry.at} now={now} />
        </td>
        <td>
          {entry.action.replaceAll(/[._]/g, ' ')}
          {entry.fields.length > 0 && <span class="quiet">: {entry.fields.join(', ')}</span>}
        </td>
        <td data-label="Which">
          <Target {...entry} />
        </td>
        <td data-label="Who">
          <code>{entry.actorKey ?? toActorName(entry.actor)}</code>
        </td>
        <td data-label="Request">
          <code class="quiet">{entry.requestId?.slice(0, 8) ?? ''}</code>
        </td>
      </tr>
    ))}
  </Table>
)

const Target = ({ action, targetType, targetId, targetKey }: AuditEntry) => {
  const path = TARGET_PATHS[targetType]
  const id = <code>{targetKey ?? targetId.slice(0, 8)}</code>
  return path === undefined || action === 'integration.deleted' ? id : <a href={`${path}${targetId}`}>{id}</a>
}
