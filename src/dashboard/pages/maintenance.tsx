import type { Deps } from '../../deps.ts'
import { AppError } from '../../domain/errors.ts'
import { isNameLength, MAX_NAME_LENGTH } from '../../domain/event/event.ts'
import { type MaintenanceId, parseId, type TenantId, toId } from '../../domain/ids.ts'
import { toStorableText } from '../../domain/text.ts'
import { endMaintenance, listMaintenance, type MaintenanceWindow } from '../../store/maintenance.ts'
import { findService } from '../../store/services.ts'
import { planWindow } from '../../usecases/plan-maintenance.ts'
import { renderPage } from '../layout.tsx'
import { createPageRouter, type Form, readForm, readPage, requireManager, toPageTrail } from '../page-request.ts'
import { Choice, Exact, ForManagers, Notice, Outside, SettingsHead, Sure, Table } from '../parts.tsx'

/** How long a window that begins now lasts, in minutes. */
const LENGTHS = [
  [30, 'half an hour'],
  [60, 'an hour'],
  [240, 'four hours'],
  [1_440, 'a day'],
] as const

const WHOSE = [
  { value: 'service', label: 'a service' },
  { value: 'team', label: 'a team’s services' },
] as const

/** Times in which nobody is told: the present ones and those to come, and one that begins now. */
export const maintenancePages = (deps: Deps) =>
  createPageRouter()
    .get('/settings/maintenance', async (c) => {
      const now = deps.now()
      const windows = await readPage(c, deps, (db, tenantId) => listMaintenance(db, tenantId))
      return renderPage(
        c,
        { title: 'Maintenance', now, tab: 'settings' },
        <>
          <SettingsHead at="/settings/maintenance" />
          <Notice done={c.req.query('done')} />
          <div class="stack">
            <p class="prose quiet">Incidents that begin in a maintenance window are diagnosed, and nobody is told: no note, no message.</p>
            {windows.length === 0 ? (
              <div class="empty">
                <h2>No maintenance is planned</h2>
                <p>Every incident is told to whom it concerns.</p>
              </div>
            ) : (
              <WindowTable windows={windows} />
            )}
            <BeginForm />
          </div>
        </>,
      )
    })
    .post('/settings/maintenance', async (c) => {
      const { tenantId } = await requireManager(c, deps)
      await planWindow(deps, tenantId, await readWindow(deps, tenantId, await readForm(c)), toPageTrail(c))
      return c.redirect('/settings/maintenance?done=muted', 303)
    })
    .post('/settings/maintenance/end', async (c) => {
      const { tenantId } = await requireManager(c, deps)
      const id = parseId<MaintenanceId>((await readForm(c))['id'] ?? '')
      if (id === undefined) throw new AppError('not_found', 'There is no such maintenance window.')
      await endMaintenance(deps.db, tenantId, id, toPageTrail(c))
      return c.redirect('/settings/maintenance?done=unmuted', 303)
    })

async function readWindow({ db, newUuid, now }: Deps, tenantId: TenantId, form: Form): Promise<Omit<MaintenanceWindow, 'createdAt'>> {
  const [name, reason] = [toStorableText(form['name'] ?? ''), toStorableText(form['reason'] ?? '')]
  if (name === '' || !isNameLength(name) || !isNameLength(reason))
    throw new AppError('invalid_request', `Say whose maintenance it is, in at most ${MAX_NAME_LENGTH} characters.`)
  const minutes = LENGTHS.find(([length]) => String(length) === form['minutes'])?.[0]
  if (minutes === undefined) throw new AppError('invalid_request', 'Choose how long it lasts.')
  const isTeam = form['whose'] === 'team'
  const service = isTeam ? undefined : await findService(db, tenantId, { name })
  if (!isTeam && !service) throw new AppError('not_found', 'There is no service of that name.')
  const from = now()
  return {
    id: toId(newUuid()),
    service: service?.name ?? null,
    team: isTeam ? name : null,
    from,
    until: new Date(from.getTime() + 60_000 * minutes),
    reason: reason === '' ? null : reason,
  }
}

const WindowTable = ({ windows }: { readonly windows: readonly MaintenanceWindow[] }) => (
  <Table heads={['Whose', 'From', 'Until', 'Why', <span class="hidden">What to do</span>]}>
    {windows.map(({ id, service, team, from, until, reason }) => (
      <tr>
        <th scope="row">
          {service === null ? 'team ' : ''}
          <Outside>{service ?? team ?? ''}</Outside>
        </th>
        <td data-label="From">
          <Exact at={from} />
        </td>
        <td data-label="Until">
          <Exact at={until} />
        </td>
        <td data-label="Why">
          <Outside>{reason ?? ''}</Outside>
        </td>
        <td>
          <Sure label="End" action="/settings/maintenance/end" button="End now" fields={{ id }}>
            What begins from now on is told again.
          </Sure>
        </td>
      </tr>
    ))}
  </Table>
)

const BeginForm = () => (
  <ForManagers>
    <section aria-labelledby="begin">
      <h2 id="begin">Begin one now</h2>
      <form method="post" action="/settings/maintenance" class="fields tall">
        <Choice legend="Whose" name="whose" options={WHOSE} chosen="service" />
        <div class="field">
          <label for="name">Its name</label>
          <input id="name" name="name" required maxlength={MAX_NAME_LENGTH} placeholder="checkout" autocomplete="off" />
        </div>
        <div class="field">
          <label for="minutes">For how long</label>
          <select id="minutes" name="minutes">
            {LENGTHS.map(([minutes, text]) => (
              <option value={minutes} selected={minutes === 60}>
                {text}
              </option>
            ))}
          </select>
        </div>
        <div class="field">
          <label for="reason">Why (optional)</label>
          <input id="reason" name="reason" maxlength={MAX_NAME_LENGTH} placeholder="database upgrade" autocomplete="off" />
        </div>
        <div>
          <button type="submit" class="first">
            Begin
          </button>
        </div>
      </form>
    </section>
  </ForManagers>
)
