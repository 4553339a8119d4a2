import type { Deps } from '../../deps.ts'
import { KEY_TYPES, type KeyType } from '../../domain/access/api-key.ts'
import { AppError } from '../../domain/errors.ts'
import { isNameLength, MAX_NAME_LENGTH } from '../../domain/event/event.ts'
import type { ApiKeyId } from '../../domain/ids.ts'
import { toStorableText } from '../../domain/text.ts'
import { type ApiKey, listApiKeys } from '../../store/api-keys.ts'
import { createApiKey } from '../../usecases/create-api-key.ts'
import { revokeKey } from '../../usecases/revoke-key.ts'
import { renderPage } from '../layout.tsx'
import { createPageRouter, getId, readForm, readPage, requireManager, toPageTrail } from '../page-request.ts'
import { Age, Choice, ForManagers, Notice, Outside, Pages, SettingsHead, Sure, Table } from '../parts.tsx'

const PAGE_SIZE = 50

const TYPE_NAMES: Readonly<Record<KeyType, string>> = { ingest: 'Ingest', readonly: 'Read-only', viewer: 'Viewer' }
const TYPE_HINTS: Readonly<Record<KeyType, string>> = {
  ingest: 'registers one agent and sends its events, nothing else',
  readonly: 'reads everything, manages, and signs in here',
  viewer: 'reads everything, here and through the API, and changes nothing',
}

/** The tenant's API keys. */
export const keyPages = (deps: Deps) =>
  createPageRouter()
    .get('/settings/keys', async (c) => {
      const now = deps.now()
      const keys = await readPage(c, deps, (db, tenantId) => listApiKeys(db, tenantId))
      const page = Math.max(1, Number(c.req.query('page')) || 1)
      const newestFirst = keys.toReversed().slice((page - 1) * PAGE_SIZE, page * PAGE_SIZE)
      const next = keys.length > page * PAGE_SIZE ? `/settings/keys?page=${page + 1}` : undefined
      return renderPage(
        c,
        { title: 'API keys', now, tab: 'settings' },
        <>
          <SettingsHead at="/settings/keys" />
          <Notice done={c.req.query('done')} />
          <div class="stack">
            <KeyTable keys={newestFirst} own={c.var.principal.apiKeyId} now={now} />
            <Pages first={page > 1 ? '/settings/keys' : undefined} next={next} />
            <CreateForm />
          </div>
        </>,
      )
    })
    .post('/settings/keys', async (c) => {
      const { tenantId } = await requireManager(c, deps)
      const { key_type: wanted, name = '' } = await readForm(c)
      const keyType = KEY_TYPES.find((type) => type === wanted)
      if (keyType === undefined) throw new AppError('invalid_request', 'Choose what the key is for.')
      if (!isNameLength(name)) throw new AppError('invalid_request', `A name has at most ${MAX_NAME_LENGTH} characters.`)
      const { key, apiKey } = await createApiKey(deps, tenantId, keyType, toStorableText(name) || null, toPageTrail(c))
      return renderPage(c, { title: 'The new key', now: deps.now(), tab: 'settings', status: 201 }, <NewKey value={key} apiKey={apiKey} />)
    })
    .post('/settings/keys/:id/revoke', async (c) => {
      const id = getId<ApiKeyId>(c, 'API key')
      const { tenantId } = await requireManager(c, deps)
      await revokeKey(deps, tenantId, id, toPageTrail(c))
      return c.redirect('/settings/keys?done=revoked', 303)
    })

const NewKey = ({ value, apiKey }: { readonly value: string; readonly apiKey: ApiKey }) => (
  <div class="prose">
    <h1>The new {TYPE_NAMES[apiKey.keyType].toLowerCase()} key</h1>
    <p>
      Copy it now: it is shown this once and stored nowhere. Later it is known by its last characters, <code>{apiKey.last4}</code>.
    </p>
    <div class="code secret" data-copy="the key">
      <code>{value}</code>
    </div>
    <p>
      <a class="button" href="/settings/keys">
        Done
      </a>
    </p>
  </div>
)

const KeyTable = ({ keys, own, now }: { readonly keys: readonly ApiKey[]; readonly own: ApiKeyId | undefined; readonly now: Date }) => (
  <Table heads={['Key', 'Name', 'Kind', 'Made', 'Last used', <span class="hidden">What to do</span>]}>
    {keys.map(({ id, keyType, name, prefix, last4, createdAt, lastUsedAt }) => (
      <tr>
        <th scope="row">
          <code>
            {prefix}…{last4}
          </code>
        </th>
        <td>{name === null ? <span class="quiet">no name</span> : <Outside>{name}</Outside>}</td>
        <td>{TYPE_NAMES[keyType]}</td>
        <td data-label="Made">
          <Age at={createdAt} now={now} />
        </td>
        <td data-label="Last used">{lastUsedAt === null ? <span class="quiet">never</span> : <Age at={lastUsedAt} now={now} />}</td>
        <td>
          <Sure label={`Revoke ${last4}`} action={`/settings/keys/${id}/revoke`} button="Revoke for good">
            {id === own
              ? 'This is the key you are signed in with: you will be signed out.'
              : 'Whoever uses it is refused at the next request. This cannot be undone.'}
          </Sure>
        </td>
      </tr>
    ))}
  </Table>
)

const CreateForm = () => (
  <ForManagers>
    <section aria-labelledby="new-key">
      <h2 id="new-key">Make a key</h2>
      <form method="post" action="/settings/keys" class="fields tall">
        <Choice
          legend="Kind"
          name="key_type"
          options={KEY_TYPES.map((value) => ({ value, label: TYPE_NAMES[value], hint: TYPE_HINTS[value] }))}
          chosen="ingest"
        />
        <div class="field">
          <label for="key-name">Name (optional)</label>
          <input id="key-name" name="name" maxlength={MAX_NAME_LENGTH} placeholder="web-1" autocomplete="off" />
        </div>
        <div>
          <button type="submit" class="first">
            Make the key
          </button>
        </div>
      </form>
    </section>
  </ForManagers>
)
