import { z } from '@hono/zod-openapi'
import type { BatchDatabase, Deps } from '../../deps.ts'
import {
  type ConfigPatch,
  type Direction,
  INTEGRATIONS,
  type Integration,
  SECRET_PATTERN,
  type SecretPatch,
  showToken,
  toWebhookPath,
  WEBHOOK_SECRET_PATTERN,
} from '../../domain/access/integration.ts'
import { DOORS } from '../../domain/doors/index.ts'
import { AppError } from '../../domain/errors.ts'
import { toNameKey } from '../../domain/event/service-name.ts'
import type { IntegrationId } from '../../domain/ids.ts'
import { DOOR_TYPES, INTEGRATION_TYPES, type IntegrationType, RECEIVER_TYPES, type SecretSetting } from '../../domain/integration-type.ts'
import { deleteIntegration, listIntegrations } from '../../store/integrations.ts'
import { listMessages } from '../../store/messages.ts'
import { listUnclaimedFlags } from '../../store/unclaimed-flags.ts'
import { readDeliveries } from '../../usecases/read-deliveries.ts'
import { tellTest } from '../../usecases/tell-answer.ts'
import { createIntegration, rotateSigningSecret, rotateToken, updateIntegration } from '../../usecases/write-integration.ts'
import { INTEGRATION_WORDS, SECRET_NAMES } from '../integrations/index.ts'
import { count } from '../labels.ts'
import { renderPage } from '../layout.tsx'
import type { PageContext } from '../page-env.ts'
import { createPageRouter, type Form, getId, readForm, readPage, requireManager, toPageTrail } from '../page-request.ts'
import { Age, ForManagers, Notice, SettingsHead } from '../parts.tsx'
import { readServiceMap } from '../service-map-form.ts'
import { DirectionField, IntegrationPage } from './integration-settings.tsx'
import { canBeTested, readFilter } from './receiver-settings.tsx'

/** The services as which flag services report flags that are mapped to no other. */
const FLAG_SERVICES = DOOR_TYPES.filter((type) => DOORS[type].brings === 'flags').map(toNameKey)

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
          <SettingsHead at="/settings/integrations" />
          <Notice done={c.req.query('done')} />
          <div class="stack">
            {integrations.length === 0 ? <NoIntegrations /> : <IntegrationList integrations={integrations} now={now} />}
            {RECEIVER_TYPES.map((type) => (
              <CreateForm type={type} />
            ))}
          </div>
        </>,
      )
    })
    .post('/settings/integrations', async (c) => {
      const { tenantId } = await requireManager(c, deps)
      const form = await readForm(c)
      const type = readType(form)
      const wanted = { type, direction: readDirection(form, type), patch: { secrets: {} } }
      const { integration, secret } = await createIntegration(deps, tenantId, wanted, toPageTrail(c))
      if (secret !== undefined) return renderNewSecret(c, deps.now(), integration.id, secret)
      return c.redirect(`/settings/integrations/${integration.id}?done=saved`, 303)
    })
    .get('/settings/integrations/:id', async (c) => {
      const id = getId<IntegrationId>(c, 'integration')
      const [integrations, unclaimed] = await readPage(c, deps, (db, tenantId) =>
        Promise.all([listIntegrations(db, tenantId), listUnclaimedFlags(db, tenantId, { nameKeys: FLAG_SERVICES })]),
      )
      const integration = findOne(integrations, id)
      const deliveries = await readDeliveries(deps, integration.tenantId, [id])
      const token = await showToken(deps.sealingKeys, integration, c.var.principal.keyType)
      return renderPage(
        c,
        { title: INTEGRATION_WORDS[integration.type].title, now: deps.now(), tab: 'settings' },
        <IntegrationPage
          integration={integration}
          webhookUrl={`${deps.publicUrl ?? new URL(c.req.url).origin}${toWebhookPath(integration, token)}`}
          token={token}
          deliveries={deliveries.get(id)}
          flags={unclaimed.flatMap(({ nameKey, flag }) =>
            nameKey === toNameKey(integration.type) && !Object.hasOwn(integration.serviceMap, flag) ? flag : [],
          )}
          done={c.req.query('done')}
          messages={canBeTested(integration) ? await listMessages(deps.db, integration.tenantId, id) : []}
          now={deps.now()}
        />,
      )
    })
    .post('/settings/integrations/:id', async (c) => {
      const id = getId<IntegrationId>(c, 'integration')
      const integration = await readIntegration(c, deps, id)
      const form = await readForm(c)
      const changes = { direction: readDirection(form, integration.type), patch: readPatch(form, integration) }
      await updateIntegration(deps, integration.tenantId, id, changes, toPageTrail(c))
      return c.redirect(`/settings/integrations/${id}?done=saved`, 303)
    })
    .post('/settings/integrations/:id/test', async (c) => {
      const id = getId<IntegrationId>(c, 'integration')
      const integration = await readIntegration(c, deps, id)
      const outcome = await tellTest(deps, integration.tenantId, integration, deps.newUuid(), deps.now())
      if (outcome.kind !== 'accepted') throw new AppError('invalid_request', `The test message was not taken: ${outcome.reason}.`)
      return c.redirect(`/settings/integrations/${id}?done=tested`, 303)
    })
    .post('/settings/integrations/:id/rotate', async (c) => {
      const id = getId<IntegrationId>(c, 'integration')
      const { tenantId } = await requireManager(c, deps)
      await rotateToken(deps, tenantId, id, toPageTrail(c))
      return c.redirect(`/settings/integrations/${id}?done=rotated`, 303)
    })
    .post('/settings/integrations/:id/rotate-secret', async (c) => {
      const id = getId<IntegrationId>(c, 'integration')
      const { tenantId } = await requireManager(c, deps)
      const { secret } = await rotateSigningSecret(deps, tenantId, id, toPageTrail(c))
      return renderNewSecret(c, deps.now(), id, secret)
    })
    .post('/settings/integrations/:id/delete', async (c) => {
      const id = getId<IntegrationId>(c, 'integration')
      const { tenantId } = await requireManager(c, deps)
      await deleteIntegration(deps.db, tenantId, id, toPageTrail(c))
      return c.redirect('/settings/integrations?done=deleted', 303)
    })

async function readIntegration(c: PageContext, deps: BatchDatabase, id: IntegrationId): Promise<Integration> {
  return findOne(await readPage(c, deps, (db, tenantId) => listIntegrations(db, tenantId)), id)
}

function findOne(integrations: readonly Integration[], id: IntegrationId): Integration {
  const integration = integrations.find((one) => one.id === id)
  if (!integration) throw new AppError('not_found', 'There is no such integration.')
  return integration
}

function readType({ type: wanted }: Form): IntegrationType {
  const type = INTEGRATION_TYPES.find((one) => one === wanted)
  if (type === undefined) throw new AppError('invalid_request', 'Choose what to connect.')
  return type
}

function readDirection({ direction: wanted }: Form, type: IntegrationType): Direction {
  const direction = INTEGRATIONS[type].directions.find((one) => one === wanted)
  if (direction === undefined) throw new AppError('invalid_request', 'Choose which way the integration works.')
  return direction
}

const From = z.email().max(320)

/** What a form changes: an empty secret stays as it is, the map is replaced as a whole. */
function readPatch(form: Form, { type, serviceMap }: Integration): ConfigPatch {
  const from = form['pagerduty_from'] ?? ''
  if (from !== '' && !From.safeParse(from).success) throw new AppError('invalid_request', 'The sender must be an e-mail address.')
  const secrets: Partial<Record<SecretSetting, string | null>> = {}
  for (const field of INTEGRATIONS[type].secrets) {
    const secret = form[field] ?? ''
    if (form[`remove_${field}`] !== undefined) secrets[field] = null
    else if (secret !== '') secrets[field] = readSecret(field, secret)
  }
  return {
    from: from === '' ? null : from,
    ...(INTEGRATION_WORDS[type].map !== undefined && { serviceMap: readServiceMap(form, serviceMap) }),
    settings: readFilter(form, { type }),
    secrets: secrets satisfies SecretPatch,
  }
}

function readSecret(field: SecretSetting, secret: string): string {
  const [pattern, minLength] = field === 'webhook_secret' ? [WEBHOOK_SECRET_PATTERN, 16] : [SECRET_PATTERN, 1]
  if (pattern.test(secret)) return secret
  throw new AppError('invalid_request', `${SECRET_NAMES[field]}: ${minLength} to 512 printable ASCII characters without spaces, please.`)
}

const renderNewSecret = (c: PageContext, now: Date, id: IntegrationId, secret: string) =>
  renderPage(c, { title: 'The new secret', now, tab: 'settings' }, <NewSecret id={id} value={secret} />)

const NewSecret = ({ id, value }: { readonly id: IntegrationId; readonly value: string }) => (
  <div class="prose">
    <h1>The webhook’s secret</h1>
    <p>Copy it now: it is shown this once. By it your receiver knows that a message is from here.</p>
    <div class="code secret" data-copy="the secret">
      <code>{value}</code>
    </div>
    <p>
      <a class="button" href={`/settings/integrations/${id}`}>
        Go on
      </a>
    </p>
  </div>
)

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
    {integrations.map(({ id, type, direction, secrets, serviceMap, createdAt }) => (
      <li class="card">
        <div class="row">
          <h2>
            <a href={`/settings/integrations/${id}`}>{INTEGRATION_WORDS[type].title}</a>
          </h2>
          <span class="quiet">{INTEGRATION_WORDS[type].directions[direction]}</span>
          <span class="end small quiet">
            made <Age at={createdAt} now={now} />
          </span>
        </div>
        <p class="small quiet">
          {INTEGRATIONS[type].secrets
            .map((field) => `${SECRET_NAMES[field]} ${secrets[field] === undefined ? 'not set' : 'set'}`)
            .join(' · ')}{' '}
          · {count(Object.keys(serviceMap).length, 'mapped service')}
        </p>
      </li>
    ))}
  </ul>
)

const CreateForm = ({ type }: { readonly type: IntegrationType }) => (
  <ForManagers>
    <section aria-labelledby={`connect-${type}`}>
      <h2 id={`connect-${type}`}>Connect {INTEGRATION_WORDS[type].title}</h2>
      <form method="post" action="/settings/integrations" class="fields">
        <input type="hidden" name="type" value={type} />
        {INTEGRATIONS[type].directions.length === 1 ? (
          <input type="hidden" name="direction" value={INTEGRATIONS[type].directions[0]} />
        ) : (
          <DirectionField type={type} direction="bidirectional" />
        )}
        <button type="submit" class="first">
          Connect
        </button>
      </form>
    </section>
  </ForManagers>
)
