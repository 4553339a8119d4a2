import type { Deps } from '../../deps.ts'
import { AppError } from '../../domain/errors.ts'
import { type IncidentId, parseId, type ShareId } from '../../domain/ids.ts'
import { readShareLink } from '../../domain/telling/share-link.ts'
import { readAftermath } from '../../store/aftermath.ts'
import { getIncident, type IncidentDetail } from '../../store/incidents.ts'
import { inOneRequest } from '../../store/postgres.ts'
import { findShared, removeShare } from '../../store/shares.ts'
import { shareIncident } from '../../usecases/share-incident.ts'
import { toActorName, toExact } from '../labels.ts'
import { renderPage } from '../layout.tsx'
import { createPageRouter, getId, readForm, requireManager, toPageTrail } from '../page-request.ts'
import { Outside, Sure } from '../parts.tsx'
import { AnswerCard, toShownIncident } from './incident-answer.tsx'
import { Picture } from './incident-picture.tsx'
import { Since } from './incident-since.tsx'

/** Makes links by which whoever has one reads the incident, and tells and revokes those that there are. */
export const ShareBox = ({ incident: { id, shares } }: { readonly incident: IncidentDetail }) => (
  <>
    <Sure label="Share" action={`/incidents/${id}/share`} button="Make a link">
      Whoever has a link reads this incident for three days, without an account.
    </Sure>
    {shares.map((share) => (
      <Sure
        label={`Link until ${toExact(share.expiresAt)}`}
        action={`/incidents/${id}/unshare`}
        button="Revoke it"
        fields={{ share: share.id }}
      >
        Made {toExact(share.madeAt)} by <Outside>{toActorName(share.madeBy)}</Outside>.
      </Sure>
    ))}
  </>
)

/** Links by which whoever has one reads an incident, and nothing else, until it expires or is revoked. */
export const sharedPages = (deps: Deps) =>
  createPageRouter()
    .post('/incidents/:id/share', async (c) => {
      const id = getId<IncidentId>(c, 'incident')
      const { tenantId } = await requireManager(c, deps)
      const { path, expiresAt } = await shareIncident(deps, tenantId, id, toPageTrail(c))
      return renderPage(
        c,
        { title: 'A link to share', now: deps.now(), tab: 'incidents', status: 201 },
        <div class="prose">
          <h1>A link to share</h1>
          <p>
            Whoever has it reads this incident, without an account, until {toExact(expiresAt)}. It is shown this once; the incident’s page
            revokes it.
          </p>
          <div class="code secret" data-copy="the link">
            <code>{`${deps.publicUrl ?? new URL(c.req.url).origin}${path}`}</code>
          </div>
          <p>
            <a class="button" href={`/incidents/${id}`}>
              Done
            </a>
          </p>
        </div>,
      )
    })
    .post('/incidents/:id/unshare', async (c) => {
      const id = getId<IncidentId>(c, 'incident')
      const { tenantId } = await requireManager(c, deps)
      const share = parseId<ShareId>((await readForm(c))['share'] ?? '')
      if (share === undefined) throw new AppError('not_found', 'There is no such link.')
      await removeShare(deps.db, tenantId, id, share, toPageTrail(c))
      return c.redirect(`/incidents/${id}?done=unshared`, 303)
    })
    .get('/shared/:token', async (c) => {
      const now = deps.now()
      const link = deps.linkSecret === undefined ? 'foreign' : await readShareLink(deps.linkSecret, c.req.param('token'), now)
      if (typeof link === 'string')
        throw new AppError('not_found', link === 'expired' ? 'This link has expired.' : 'This link leads nowhere: copy all of it.')
      const id = await findShared(deps.db, link.tenantId, link.id)
      if (id === undefined) throw new AppError('not_found', 'This link was revoked.')
      const db = inOneRequest(deps.db)
      const [incident, later] = await Promise.all([getIncident(db, link.tenantId, id), readAftermath(db, link.tenantId, id)])
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
