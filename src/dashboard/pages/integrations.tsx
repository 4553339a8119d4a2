import { z } from '@hono/zod-openapi'
import type { BatchDatabase, Deps, Site } from '../../deps.ts'
import {
  type ConfigPatch,
  createToken,
  DIRECTIONS,
  type Direction,
  EXTERNAL_ID_PATTERN,
  type Integration,
  MAX_MAP_BYTES,
  MAX_MAPPED_SERVICES,
  SECRET_FIELDS,
  SECRET_PATTERN,
  type SecretField,
  type SecretPatch,
  toMapBytes,
} from '../../domain/access/integration.ts'
import { AppError } from '../../domain/errors.ts'
import { MAX_NAME_LENGTH } from '../../domain/event/event.ts'
import type { IntegrationId } from '../../domain/ids.ts'
import { toStorableText } from '../../domain/text.ts'
import { deleteIntegration, listIntegrations, replaceToken } from '../../store/integrations.ts'
import { createIntegration, updateIntegration } from '../../usecases/write-integration.ts'
import { createPageRouter, type Form, getId, readForm, readPage, requireLiveKey, toPageTrail } from '../context.ts'
import type { PageContext } from '../env.ts'
import { fingerprint } from '../fingerprint.ts'
import { count } from '../labels.ts'
import { renderPage } from '../layout.tsx'
import { Age, Code, Notice, SettingsTabs, Sure } from '../parts.tsx'

const DIRECTION_NAMES: Readonly<Record<Direction, string>> = {
  bidirectional: 'Alerts come in, notes go out',
  inbound: 'Alerts come in only',
  outbound: 'Notes go out only',
}

const SECRET_NAMES: Readonly<Record<SecretField, string>> = {
  pagerduty_token: 'PagerDuty API token',
  webhook_secret: 'Webhook secret',
}

/** Connections to pagers. */
export const integrationPages = (deps: Deps) =>
  createPageRouter()
    .get('/settings/integrations', async (c) => {
      const now = deps.now()
      const integrations = await readPage(c, deps, (db, tenantId) => listIntegrations(db, tenantId))
      return renderPage(
        c,
        { title: 'Integrations', now, tab: 'settings' },
        <>
          <h1>Integrations</h1>
          <SettingsTabs at="/settings/integrations" />
          <Notice done={c.req.query('done')} />
          <div class="stack">
            {integrations.length === 0 ? <NoIntegrations /> : <IntegrationList integrations={integrations} now={now} />}
            <CreateForm />
          </div>
        </>,
      )
    })
    .post('/settings/integrations', async (c) => {
      const { tenantId } = await requireLiveKey(c, deps)
      const direction = readDirection(await readForm(c))
      const wanted = { type: 'pagerduty' as const, direction, patch: { secrets: {} } }
      const { id } = await createIntegration(deps, tenantId, wanted, toPageTrail(c))
      return c.redirect(`/settings/integrations/${id}?done=saved`, 303)
    })
    .get('/settings/integrations/:id', async (c) => {
      const id = getId<IntegrationId>(c, 'integration')
      const integration = await readIntegration(c, deps, id)
      return renderPage(
        c,
        { title: 'PagerDuty', now: deps.now(), tab: 'settings' },
        <IntegrationPage integration={integration} webhookUrl={toWebhookUrl(deps, c, integration)} done={c.req.query('done')} />,
      )
    })
    .post('/settings/integrations/:id', async (c) => {
      const id = getId<IntegrationId>(c, 'integration')
      const integration = await readIntegration(c, deps, id)
      const form = await readForm(c)
      const changes = { direction: readDirection(form), patch: readPatch(form, integration) }
      await updateIntegration(deps, integration.tenantId, id, changes, toPageTrail(c))
      return c.redirect(`/settings/integrations/${id}?done=saved`, 303)
    })
    .post('/settings/integrations/:id/rotate', async (c) => {
      const id = getId<IntegrationId>(c, 'integration')
      const { tenantId } = await requireLiveKey(c, deps)
      await replaceToken(deps.db, tenantId, id, createToken(deps.randomBytes), toPageTrail(c))
      return c.redirect(`/settings/integrations/${id}?done=rotated`, 303)
    })
    .post('/settings/integrations/:id/delete', async (c) => {
      const id = getId<IntegrationId>(c, 'integration')
      const { tenantId } = await requireLiveKey(c, deps)
      await deleteIntegration(deps.db, tenantId, id, toPageTrail(c))
      return c.redirect('/settings/integrations?done=deleted', 303)
    })

async function readIntegration(c: PageContext, deps: BatchDatabase, id: IntegrationId): Promise<Integration> {
  const integrations = await readPage(c, deps, (db, tenantId) => listIntegrations(db, tenantId))
  const integration = integrations.find((one) => one.id === id)
  if (!integration) throw new AppError('not_found', 'There is no such integration.')
  return integration
}

function toWebhookUrl({ publicUrl }: Site, c: PageContext, { type, token }: Integration): string {
  return `${publicUrl ?? new URL(c.req.url).origin}/webhooks/${type}/${token}`
}

function readDirection({ direction: wanted }: Form): Direction {
  const direction = DIRECTIONS.find((one) => one === wanted)
  if (direction === undefined) throw new AppError('invalid_request', 'Choose which way the integration works.')
  return direction
}

const From = z.email().max(320)

/** What a form changes: an empty secret stays as it is, the map is replaced as a whole. */
function readPatch(form: Form, { serviceMap }: Integration): ConfigPatch {
  const from = form['pagerduty_from'] ?? ''
  if (from !== '' && !From.safeParse(from).success) throw new AppError('invalid_request', 'The sender must be an e-mail address.')
  const secrets: Partial<Record<SecretField, string | null>> = {}
  for (const field of SECRET_FIELDS) {
    const secret = form[field] ?? ''
    if (form[`remove_${field}`] !== undefined) secrets[field] = null
    else if (secret !== '') secrets[field] = readSecret(field, secret)
  }
  return { from: from === '' ? null : from, serviceMap: readServiceMap(form, serviceMap), secrets: secrets satisfies SecretPatch }
}

function readSecret(field: SecretField, secret: string): string {
  if (SECRET_PATTERN.test(secret)) return secret
  throw new AppError('invalid_request', `${SECRET_NAMES[field]}: 1 to 512 printable ASCII characters without spaces, please.`)
}

/** Lines of `<id> = <service>`, in the place of the map that the form showed. */
function readServiceMap({ service_map = '', map_shown }: Form, present: Integration['serviceMap']): NonNullable<ConfigPatch['serviceMap']> {
  const lines = service_map.split(/[\n\r\u2028\u2029]+/).filter((line) => line.trim() !== '')
  const wanted = Object.fromEntries(lines.map((line) => readMapping(toStorableText(line))))
  const names = Object.values(wanted)
  if (names.length > MAX_MAPPED_SERVICES) throw new AppError('invalid_request', `At most ${MAX_MAPPED_SERVICES} services can be mapped.`)
  if (toMapBytes(wanted) > MAX_MAP_BYTES) throw new AppError('invalid_request', 'The ids and names of the services are too long together.')
  if (map_shown !== toMapVersion(present))
    throw new AppError('conflict', 'The services were changed since this form was opened. Open it again and make your changes there.')
  return { ...Object.fromEntries(Object.keys(present).map((id): [string, null] => [id, null])), ...wanted }
}

function readMapping(line: string): readonly [string, string] {
  const [, id, name] = /^\s*([^=]*?)\s*=\s*(\S.*?)\s*$/.exec(line) ?? []
  if (id === undefined || name === undefined) throw new AppError('invalid_request', `Not an "id = service" line: ${line}`)
  if (!EXTERNAL_ID_PATTERN.test(id))
    throw new AppError('invalid_request', `A service id is 1 to 64 letters, digits, hyphens or underscores: ${line}`)
  if (Array.from(name).length > MAX_NAME_LENGTH) throw new AppError('invalid_request', `A name has at most ${MAX_NAME_LENGTH} characters.`)
  return [id, name]
}

/** By what a form knows whether the map is still the one that it showed. */
function toMapVersion(map: Integration['serviceMap']): string {
  return fingerprint(JSON.stringify(map))
}

const NoIntegrations = () => (
  <div class="empty">
    <h2>No pager is connected</h2>
    <p>
      Connected to PagerDuty, every alert is diagnosed as it fires, and the answer is posted back as a note on the incident, where the
      engineer on call already looks.
    </p>
  </div>
)

const IntegrationList = ({ integrations, now }: { readonly integrations: readonly Integration[]; readonly now: Date }) => (
  <ul class="cards">
    {integrations.map(({ id, direction, secrets, serviceMap, createdAt }) => (
      <li class="card">
        <div class="row">
          <h2>
            <a href={`/settings/integrations/${id}`}>PagerDuty</a>
          </h2>
          <span class="quiet">{DIRECTION_NAMES[direction]}</span>
          <span class="end small quiet">
            made <Age at={createdAt} now={now} />
          </span>
        </div>
        <p class="small quiet">
          {SECRET_FIELDS.map((field) => `${SECRET_NAMES[field]} ${secrets[field] === undefined ? 'not set' : 'set'}`).join(' · ')} ·{' '}
          {count(Object.keys(serviceMap).length, 'mapped service')}
        </p>
      </li>
    ))}
  </ul>
)

const DirectionField = ({ direction }: { readonly direction: Direction }) => (
  <div class="field">
    <label for="direction">Direction</label>
    <select id="direction" name="direction">
      {DIRECTIONS.toReversed().map((one) => (
        <option value={one} selected={one === direction}>
          {DIRECTION_NAMES[one]}
        </option>
      ))}
    </select>
  </div>
)

const CreateForm = () => (
  <section aria-labelledby="connect">
    <h2 id="connect">Connect PagerDuty</h2>
    <form method="post" action="/settings/integrations" class="fields">
      <DirectionField direction="bidirectional" />
      <button type="submit" class="first">
        Connect
      </button>
    </form>
  </section>
)

type PageProps = { readonly integration: Integration; readonly webhookUrl: string; readonly done: string | undefined }

const IntegrationPage = ({ integration, webhookUrl, done }: PageProps) => (
  <>
    <div class="head">
      <div>
        <p class="crumb">
          <a href="/settings/integrations">Integrations</a>
        </p>
        <h1>PagerDuty</h1>
      </div>
      <div class="row">
        <Sure label="Rotate the URL" action={`/settings/integrations/${integration.id}/rotate`} button="Rotate now">
          The present webhook URL is dead at once: PagerDuty needs the new one.
        </Sure>
        <Sure label="Delete" action={`/settings/integrations/${integration.id}/delete`} button="Delete for good">
          Its webhook stops at once and its secrets are gone.
        </Sure>
      </div>
    </div>
    <Notice done={done} />
    <div class="columns">
      <SetupSteps integration={integration} webhookUrl={webhookUrl} />
      <EditForm integration={integration} />
    </div>
  </>
)

const SetupSteps = ({ integration: { direction, secrets, from }, webhookUrl }: Omit<PageProps, 'done'>) => (
  <section aria-labelledby="setup">
    <h2 id="setup">How to set it up</h2>
    <ol class="steps">
      {direction !== 'outbound' && (
        <>
          <li>
            <h3>Add the webhook</h3>
            <div class="prose">
              <p>
                In PagerDuty: Integrations, Generic Webhooks (v3), New Webhook. Choose the scope, tick <code>incident.triggered</code>,{' '}
                <code>incident.acknowledged</code>, <code>incident.resolved</code> and <code>incident.annotated</code>, and use this URL,
                which is a secret:
              </p>
              <Code what="the webhook URL">{webhookUrl}</Code>
            </div>
          </li>
          <li class={secrets.webhook_secret === undefined ? '' : 'done'}>
            <h3>Keep its secret here</h3>
            <p>PagerDuty shows a signing secret once. Saved beside this, unsigned deliveries are refused.</p>
          </li>
        </>
      )}
      {direction !== 'inbound' && (
        <li class={secrets.pagerduty_token === undefined || from === null ? '' : 'done'}>
          <h3>Let it post notes</h3>
          <p>
            In PagerDuty: Integrations, API Access Keys, Create New API Key. Save it beside this, with the e-mail address of the user in
            whose name notes are posted.
          </p>
        </li>
      )}
    </ol>
  </section>
)

const EditForm = ({ integration }: { readonly integration: Integration }) => {
  const { id, direction, from, serviceMap } = integration
  const lines = Object.entries(serviceMap).map(([external, name]) => `${external} = ${name}`)
  return (
    <section aria-labelledby="edit">
      <h2 id="edit">Settings</h2>
      <form method="post" action={`/settings/integrations/${id}`} class="fields tall">
        <DirectionField direction={direction} />
        {SECRET_FIELDS.map((field) => (
          <SecretInput field={field} isSet={integration.secrets[field] !== undefined} />
        ))}
        <div class="field">
          <label for="pagerduty_from">Notes are posted as</label>
          <input
            id="pagerduty_from"
            name="pagerduty_from"
            type="email"
            value={from ?? ''}
            placeholder="oncall@example.com"
            autocomplete="off"
          />
        </div>
        <div class="field">
          <label for="service_map">Services</label>
          <textarea id="service_map" name="service_map" spellcheck={false} placeholder="PIJ90N7 = payments-api" aria-describedby="map-hint">
            {lines.join('\n')}
          </textarea>
          <p class="hint" id="map-hint">
            A PagerDuty service id and the name of the service here, one pair a line. Without one, names are matched.
          </p>
        </div>
        <input type="hidden" name="map_shown" value={toMapVersion(serviceMap)} />
        <div>
          <button type="submit" class="first">
            Save
          </button>
        </div>
      </form>
    </section>
  )
}

const SecretInput = ({ field, isSet }: { readonly field: SecretField; readonly isSet: boolean }) => (
  <div class="field">
    <label for={field}>{SECRET_NAMES[field]}</label>
    <input
      id={field}
      name={field}
      type="password"
      autocomplete="off"
      spellcheck={false}
      placeholder={isSet ? 'set; empty leaves it as it is' : 'not set'}
    />
    {isSet && (
      <div class="small">
        <input type="checkbox" id={`remove_${field}`} name={`remove_${field}`} /> <label for={`remove_${field}`}>Remove it</label>
      </div>
    )}
  </div>
)
