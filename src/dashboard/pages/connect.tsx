import type { Deps } from '../../deps.ts'
import { type ConfigPatch, canReceive, INTEGRATIONS, type Integration, MASK, showToken } from '../../domain/access/integration.ts'
import type { Door } from '../../domain/doors/door.ts'
import { DOORS } from '../../domain/doors/index.ts'
import { AppError } from '../../domain/errors.ts'
import { DOOR_TYPES, type DoorType } from '../../domain/integration-type.ts'
import { deferTo } from '../../http/context.ts'
import { countAgents } from '../../store/agents.ts'
import type { DeliveryKind, DoorDeliveries } from '../../store/door-deliveries.ts'
import { listIntegrations } from '../../store/integrations.ts'
import { readDeliveries } from '../../usecases/read-deliveries.ts'
import { sendSample } from '../../usecases/send-sample.ts'
import { createIntegration, rotateToken, updateIntegration } from '../../usecases/write-integration.ts'
import { Arrival, Deliveries, type DeliveriesProps } from '../connect/deliveries.tsx'
import { rehearse, type Tried, TryForm } from '../connect/rehearsal.tsx'
import { countDelivering, SenderList, type SenderListProps, type SenderState } from '../connect/senders.tsx'
import { isSigned, readLetIn, readSettings, readWebhookSecret, SettingsForm } from '../connect/settings-form.tsx'
import { toSetupValues } from '../connect/setup.ts'
import { Setup } from '../connect/snippet.tsx'
import { renderPage } from '../layout.tsx'
import type { PageContext } from '../page-env.ts'
import { createPageRouter, type Form, readForm, readPage, requireManager, toAppContext, toPageTrail } from '../page-request.ts'
import { Age, ForManagers, Notice, Sure } from '../parts.tsx'

const ONLINE_MS = 10 * 60_000
const PLACEHOLDER = '<token>'

/** Every sender: what to paste, and whether it has arrived. */
export const connectPages = (deps: Deps) =>
  createPageRouter()
    .get('/connect', (c) => renderSender(deps, c, undefined, c.req.query('integration'), undefined))
    .get('/connect/:sender', (c) => renderSender(deps, c, readSender(c), c.req.query('integration'), undefined))
    .post('/connect/:sender', async (c) => {
      const type = readSender(c)
      const { tenantId } = await requireManager(c, deps)
      const [direction] = INTEGRATIONS[type].directions.toReversed()
      if (direction === undefined) throw new AppError('not_found', 'There is no such sender.')
      const {
        integration: { id },
      } = await createIntegration(deps, tenantId, { type, direction, patch: { secrets: {} } }, toPageTrail(c))
      return c.redirect(`/connect/${type}?integration=${id}`, 303)
    })
    .post('/connect/:sender/secret', (c) => update(deps, c, (_, form) => readWebhookSecret(form)))
    .post('/connect/:sender/settings', (c) => update(deps, c, readSettings))
    .post('/connect/:sender/environment', (c) => update(deps, c, (_, form, integration) => readLetIn(integration, form)))
    .post('/connect/:sender/rotate', async (c) => {
      const { type, integration } = await readOwn(deps, c, await readForm(c))
      await rotateToken(deps, integration.tenantId, integration.id, toPageTrail(c))
      return c.redirect(`/connect/${type}?integration=${integration.id}&done=replaced`, 303)
    })
    .post('/connect/:sender/sample', async (c) => {
      const { type, integration } = await readOwn(deps, c, await readForm(c))
      if (!canReceive(integration)) throw new AppError('not_found', 'There is no such integration.')
      await sendSample(deps, type, integration, deferTo(toAppContext(c)))
      return c.redirect(`/connect/${type}?integration=${integration.id}#sample`, 303)
    })
    .post('/connect/:sender/try', async (c) => {
      const form = await readForm(c)
      const toTried = (integration: Integration | undefined) => rehearse(readSender(c), form, integration, deps.newUuid(), deps.keeping)
      return renderSender(deps, c, readSender(c), form['integration'], toTried)
    })

function readSender(c: PageContext): DoorType {
  const type = DOOR_TYPES.find((one) => one === c.req.param('sender'))
  if (type === undefined) throw new AppError('not_found', 'There is no such sender.')
  return type
}

async function readOwn(deps: Deps, c: PageContext, { integration: id }: Form) {
  const type = readSender(c)
  const integrations = await readPage(c, deps, (db, tenantId) => listIntegrations(db, tenantId))
  const integration = integrations.find((one) => one.id === id && one.type === type)
  if (!integration) throw new AppError('not_found', 'There is no such integration.')
  return { type, integration }
}

type ToPatch = (type: DoorType, form: Form, integration: Integration) => ConfigPatch

async function update(deps: Deps, c: PageContext, toPatch: ToPatch): Promise<Response> {
  const form = await readForm(c)
  const { type, integration } = await readOwn(deps, c, form)
  const changes = { direction: undefined, patch: toPatch(type, form, integration) }
  await updateIntegration(deps, integration.tenantId, integration.id, changes, toPageTrail(c))
  return c.redirect(`/connect/${type}?integration=${integration.id}&done=saved`, 303)
}

async function renderSender(
  deps: Deps,
  c: PageContext,
  wanted: DoorType | undefined,
  wantedId: string | undefined,
  toTried: ((integration: Integration | undefined) => Tried) | undefined,
): Promise<Response> {
  const now = deps.now()
  const since = new Date(now.getTime() - ONLINE_MS)
  const [all, agents] = await readPage(c, deps, (db, tenantId) =>
    Promise.all([listIntegrations(db, tenantId), countAgents(db, tenantId, since)]),
  )
  const integrations = all.filter(canReceive)
  const type = wanted ?? DOOR_TYPES.find((one) => one === integrations[0]?.type) ?? 'deploy'
  const own = integrations.filter((one) => one.type === type)
  const integration = own.find(({ id }) => id === wantedId) ?? own.at(-1)
  const shown = [type, ...(integration ? [integration.id] : [])]
  const others = [...DOOR_TYPES, ...integrations.map(({ id }) => id)].filter((one) => !shown.includes(one))
  const deliveries = await readDeliveries(deps, c.var.session.tenantId, shown, others)
  const states = toStates(integrations, deliveries)
  const origin = deps.publicUrl ?? new URL(c.req.url).origin
  const token = integration && (await showToken(deps.sealingKeys, integration, c.var.principal.keyType))
  return await renderPage(
    c,
    { title: `Connect ${DOORS[type].title}`, now, tab: 'connect' },
    <>
      <div class="head">
        <div>
          <h1>Connect</h1>
          <p class="quiet">
            {countDelivering(states)} of {DOOR_TYPES.length} senders deliver. What is marked in a snippet is yours already: paste it as it
            is.
          </p>
        </div>
      </div>
      <Notice done={c.req.query('done')} />
      <div class="connect">
        <SenderList open={type} states={states} agents={agents} now={now} />
        <Sender
          type={type}
          integration={integration}
          token={token ?? PLACEHOLDER}
          own={own}
          origin={origin}
          deliveries={mergeDeliveries(shown.flatMap((one) => deliveries.get(one) ?? []))}
          tried={toTried?.(integration)}
          now={now}
        />
      </div>
    </>,
  )
}

/** The newest delivery of each sender, by whatever credential it came. */
function toStates(integrations: readonly Integration[], deliveries: Awaited<ReturnType<typeof readDeliveries>>): SenderListProps['states'] {
  return new Map(
    DOOR_TYPES.map((type): [DoorType, SenderState] => {
      const own = integrations.filter((one) => one.type === type)
      const outcomes = [type, ...own.map(({ id }) => id)].flatMap((one) => deliveries.get(one)?.latest[0] ?? [])
      return [type, { isConnected: own.length > 0, latest: outcomes.toSorted((a, b) => b.at.getTime() - a.at.getTime())[0] }]
    }),
  )
}

const KEPT = 10

function mergeDeliveries(all: readonly DoorDeliveries[]): DoorDeliveries {
  const sum = (kind: DeliveryKind) => all.reduce((total, { today }) => total + today[kind], 0)
  return {
    latest: all
      .flatMap(({ latest }) => latest)
      .toSorted((a, b) => b.at.getTime() - a.at.getTime())
      .slice(0, KEPT),
    today: { taken: sum('taken'), ignored: sum('ignored'), refused: sum('refused') },
    sample: all.find(({ sample }) => sample !== undefined)?.sample,
  }
}

type SenderProps = {
  readonly type: DoorType
  readonly integration: Integration | undefined
  readonly token: string
  readonly own: readonly Integration[]
  readonly origin: string
  readonly deliveries: DoorDeliveries
  readonly tried: Tried | undefined
  readonly now: Date
}

const LEADS: Readonly<Record<Door['brings'], string>> = {
  alerts: 'Every alert that fires becomes an incident with an answer; it ends when the alert ends.',
  deploys: 'A deploy that broke something is named where it did, with who made it.',
  flags: 'A flag that broke something is named where it did: at whoever evaluates it.',
  logs: 'What restarts, fails or fills up is evidence of what broke; every other line is dropped.',
}

const Sender = ({ type, integration, token, own, origin, deliveries, tried, now }: SenderProps) => {
  const { title, setup, brings } = DOORS[type]
  const arrived: DeliveriesProps = { type, integration, deliveries, now }
  return (
    <div class="opened">
      <h2>{title}</h2>
      <p class="quiet">{LEADS[brings]}</p>
      {integration ? (
        <ol class="steps card">
          <li>
            <h3>Paste this</h3>
            <div class="stack-small">
              <Setup setup={setup} values={toSetupValues(type, origin, token)} />
              {token === MASK && <HiddenToken />}
              <TokenNote type={type} integration={integration} own={own} now={now} />
            </div>
          </li>
          {isSigned(type) && <SecretStep type={type} integration={integration} />}
          <li>
            <h3>See it arrive</h3>
            <Arrival {...arrived} />
          </li>
        </ol>
      ) : (
        <div class="card">
          <p>One press makes an address and a token of your own, filled in where they belong.</p>
          <ForManagers>
            <form method="post" action={`/connect/${type}`}>
              <button type="submit" class="first">
                Connect {title}
              </button>
            </form>
          </ForManagers>
          <details class="more">
            <summary>What there is to paste</summary>
            <Setup setup={setup} values={toSetupValues(type, origin, token)} />
          </details>
        </div>
      )}
      {!integration && <Arrival {...arrived} />}
      <Deliveries {...arrived} />
      <ForManagers>
        <TryForm type={type} tried={tried} integration={integration} />
        {integration && <SettingsForm type={type} integration={integration} />}
      </ForManagers>
    </div>
  )
}

/** Why a mask stands where the token should. */
const HiddenToken = () => (
  <p class="notice">
    <ForManagers otherwise="Viewers are not shown the token, which sends.">
      The token cannot be shown: this installation’s <code>INTEGRATION_KEYS</code> are missing, or are not those that sealed it. Its
      operator sets them, and you replace the token; or make an integration through the API, which answers its token once.
    </ForManagers>
  </p>
)

const TokenNote = ({ type, integration, own, now }: Pick<SenderProps, 'type' | 'own' | 'now'> & { readonly integration: Integration }) => (
  <>
    <p class="small quiet">The token can send, never read. An ingest key does as well wherever the token goes into a header.</p>
    <div class="row small">
      <Sure label="Replace the token" action={`/connect/${type}/rotate`} button="Replace it now" fields={{ integration: integration.id }}>
        The present one is dead at once.
      </Sure>
      <ForManagers>
        <form method="post" action={`/connect/${type}`}>
          <button type="submit" class="bare minor">
            Connect another
          </button>
        </form>
      </ForManagers>
      {own
        .filter(({ id }) => id !== integration.id)
        .slice(0, KEPT)
        .map(({ id, settings, createdAt }) => (
          <a href={`/connect/${type}?integration=${id}`}>
            {settings.service ?? 'the one'} made <Age at={createdAt} now={now} />
          </a>
        ))}
    </div>
  </>
)

const SecretStep = ({ type, integration }: { readonly type: DoorType; readonly integration: Integration }) => {
  const isSet = integration.secrets.webhook_secret !== undefined
  return (
    <li class={isSet ? 'done' : 'open'}>
      <h3>Keep its secret here</h3>
      <ForManagers otherwise={<p class="quiet">{isSet ? 'It is set.' : 'It is not set.'}</p>}>
        <form method="post" action={`/connect/${type}/secret`} class="fields">
          <input type="hidden" name="integration" value={integration.id} />
          <div class="field">
            <label for="webhook_secret">Webhook secret</label>
            <input
              id="webhook_secret"
              name="webhook_secret"
              type="password"
              required
              autocomplete="off"
              spellcheck={false}
              placeholder={isSet ? 'set' : 'not set: whoever has the address can send'}
            />
          </div>
          <button type="submit">Save</button>
        </form>
      </ForManagers>
    </li>
  )
}
