import type { Deps } from '../../deps.ts'
import { AppError } from '../../domain/errors.ts'
import type { IncidentId } from '../../domain/ids.ts'
import { readShareLink, signShareLink } from '../../domain/telling/share-link.ts'
import { readAftermath } from '../../store/aftermath.ts'
import { getIncident, noteShared } from '../../store/incidents.ts'
import { inOneRequest } from '../../store/postgres.ts'
import { toExact } from '../labels.ts'
import { renderPage } from '../layout.tsx'
import { createPageRouter, getId, requireManager, toPageTrail } from '../page-request.ts'
import { Outside } from '../parts.tsx'
import { AnswerCard, toShownIncident } from './incident-answer.tsx'
import { Picture } from './incident-picture.tsx'
import { Since } from './incident-since.tsx'

const SHARED_MS = 3 * 24 * 3_600_000

/** Links by which whoever has one reads an incident, and nothing else, for three days. */
export const sharedPages = (deps: Deps) =>
  createPageRouter()
    .post('/incidents/:id/share', async (c) => {
      const id = getId<IncidentId>(c, 'incident')
      const { tenantId } = await requireManager(c, deps)
      if (deps.linkSecret === undefined) throw new AppError('unavailable', 'This installation has no secret to sign links with.')
      const now = deps.now()
      const expiresAt = new Date(now.getTime() + SHARED_MS)
      await noteShared(deps.db, tenantId, id, toPageTrail(c))
      const token = await signShareLink(deps.linkSecret, { tenantId, incidentId: id, expiresAt })
      return renderPage(
        c,
        { title: 'A link to share', now, tab: 'incidents', status: 201 },
        <div class="prose">
          <h1>A link to share</h1>
          <p>Whoever has it reads this incident, without an account, until {toExact(expiresAt)}. It cannot be taken back.</p>
          <div class="code secret" data-copy="the link">
            <code>{`${new URL(c.req.url).origin}/shared/${token}`}</code>
          </div>
          <p>
            <a class="button" href={`/incidents/${id}`}>
              Done
            </a>
          </p>
        </div>,
      )
    })
    .get('/shared/:token', async (c) => {
      const now = deps.now()
      const link = deps.linkSecret === undefined ? 'foreign' : await readShareLink(deps.linkSecret, c.req.param('token'), now)
      if (typeof link === 'string')
        throw new AppError('not_found', link === 'expired' ? 'This link has expired.' : 'This link leads nowhere: copy all of it.')
      const db = inOneRequest(deps.db)
      const [incident, later] = await Promise.all([
        getIncident(db, link.tenantId, link.incidentId),
        readAftermath(db, link.tenantId, link.incidentId),
      ])
      const { aftermath, told } = toShownIncident(incident, later, now)
      const title = incident.title ?? `Incident on ${incident.serviceName}`
      return renderPage(
        c,
        { title, now },
        <div class="stack">
          <div>
            <h1>
              <Outside>{title}</Outside>
            </h1>
            <p class="quiet">
              <Outside>{incident.serviceName}</Outside>, alert at {toExact(incident.triggeredAt)}. Shared to read until{' '}
              {toExact(link.expiresAt)}.
            </p>
          </div>
          {told && <AnswerCard rows={told.rows} />}
          <Since aftermath={aftermath} alertAt={incident.triggeredAt} isOpen={false} />
          {told && (
            <Picture
              answer={told.answer}
              isAbstained={told.latest.abstained}
              aftermath={aftermath}
              path={undefined}
              now={now}
              isWholeDay={false}
            />
          )}
        </div>,
      )
    })
