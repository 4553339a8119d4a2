import type { Deps } from '../../deps.ts'
import { PERSON_ROLES, type PersonRole, toPeople } from '../../domain/access/person.ts'
import { AppError } from '../../domain/errors.ts'
import { type ListedPeople, listPeople, putPeople, removePeople } from '../../store/people.ts'
import { renderPage } from '../layout.tsx'
import { createPageRouter, type Form, readForm, readPage, requireManager, toPageTrail } from '../page-request.ts'
import { Age, Choice, ForManagers, Notice, SettingsHead, Sure, Table } from '../parts.tsx'

const ROLE_NAMES: Readonly<Record<PersonRole, string>> = { viewer: 'Viewer', readonly: 'Manager' }
const ROLE_HINTS: Readonly<Record<PersonRole, string>> = {
  viewer: 'looks at everything, changes nothing',
  readonly: 'does here what a read-only key does: verdicts, keys, integrations, people',
}

/** Who signs in without a key. */
export const peoplePages = (deps: Deps) =>
  createPageRouter()
    .get('/settings/people', async (c) => {
      const now = deps.now()
      const people = await readPage(c, deps, (db, tenantId) => listPeople(db, tenantId))
      return renderPage(
        c,
        { title: 'People', now, tab: 'settings' },
        <>
          <SettingsHead at="/settings/people" />
          <Notice done={c.req.query('done')} />
          <div class="stack">
            <p class="prose quiet">
              {deps.access
                ? 'Whom Cloudflare Access vouches for, and who is listed here, signs in without a key.'
                : 'Whoever is listed here signs in without a key, once this installation is behind Cloudflare Access: its operator sets ACCESS_TEAM and ACCESS_AUD.'}
            </p>
            {people.length === 0 ? <Nobody /> : <PeopleTable people={people} now={now} />}
            <AddForm />
          </div>
        </>,
      )
    })
    .post('/settings/people', async (c) => {
      const { tenantId } = await requireManager(c, deps)
      const form = await readForm(c)
      const role = PERSON_ROLES.find((one) => one === form['role'])
      if (role === undefined) throw new AppError('invalid_request', 'Choose what they may do.')
      await putPeople(deps.db, tenantId, { people: readPeople(form), role }, toPageTrail(c))
      return c.redirect('/settings/people?done=listed', 303)
    })
    .post('/settings/people/remove', async (c) => {
      const { tenantId } = await requireManager(c, deps)
      await removePeople(deps.db, tenantId, readPeople(await readForm(c)), toPageTrail(c))
      return c.redirect('/settings/people?done=unlisted', 303)
    })

function readPeople({ people: text = '' }: Form): string {
  const people = toPeople(text)
  if (people === undefined) throw new AppError('invalid_request', 'Name an e-mail address, or a domain such as @example.com.')
  return people
}

const Nobody = () => (
  <div class="empty">
    <h2>Nobody is listed</h2>
    <p>People sign in with a key each until they are.</p>
  </div>
)

const PeopleTable = ({ people: listed, now }: { readonly people: readonly ListedPeople[]; readonly now: Date }) => (
  <Table heads={['Who', 'Role', 'Since', <span class="hidden">What to do</span>]}>
    {listed.map(({ people, role, createdAt }) => (
      <tr>
        <th scope="row">{people.startsWith('@') ? `everybody ${people}` : people}</th>
        <td>{ROLE_NAMES[role]}</td>
        <td data-label="Since">
          <Age at={createdAt} now={now} />
        </td>
        <td>
          <Sure label="Remove" action="/settings/people/remove" button="Remove now" fields={{ people }}>
            Their next request is refused.
          </Sure>
        </td>
      </tr>
    ))}
  </Table>
)

const AddForm = () => (
  <ForManagers>
    <section aria-labelledby="add-people">
      <h2 id="add-people">List somebody</h2>
      <form method="post" action="/settings/people" class="fields tall">
        <div class="field">
          <label for="people">E-mail address, or domain</label>
          <input id="people" name="people" required maxlength={254} placeholder="jane@example.com or @example.com" autocomplete="off" />
        </div>
        <Choice
          legend="Role"
          name="role"
          options={PERSON_ROLES.map((value) => ({ value, label: ROLE_NAMES[value], hint: ROLE_HINTS[value] }))}
          chosen="viewer"
        />
        <div>
          <button type="submit" class="first">
            List them
          </button>
        </div>
      </form>
    </section>
  </ForManagers>
)
