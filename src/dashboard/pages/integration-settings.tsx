import { canReceive, type Direction, INTEGRATIONS, type Integration } from '../../domain/access/integration.ts'
import type { ServiceMap } from '../../domain/access/service-map.ts'
import type { IntegrationType, SecretSetting } from '../../domain/integration-type.ts'
import { findReceiver, isSigned } from '../../domain/receivers/index.ts'
import type { DoorDeliveries } from '../../store/door-deliveries.ts'
import type { SentMessage } from '../../store/messages.ts'
import { FlagsNotice } from '../flags-notice.tsx'
import { INTEGRATION_WORDS, SECRET_NAMES } from '../integrations/index.ts'
import type { SetupProps } from '../integrations/words.ts'
import { Age, ForManagers, Notice, Sure } from '../parts.tsx'
import { toMapLines, toMapVersion } from '../service-map-form.ts'
import { canBeTested, FilterFields, ToldSection } from './receiver-settings.tsx'

type PageProps = {
  readonly integration: Integration
  readonly webhookUrl: string
  readonly token: string
  readonly deliveries: DoorDeliveries | undefined
  /** That nobody is known to evaluate, nor mapped. */
  readonly flags: readonly string[]
  readonly done: string | undefined
  /** The latest, newest first. */
  readonly messages: readonly SentMessage[]
  readonly now: Date
}

/** One integration: how to set it up, and its settings. */
export const IntegrationPage = ({ integration, webhookUrl, token, deliveries, flags, done, messages, now }: PageProps) => (
  <>
    <div class="head">
      <div>
        <p class="crumb">
          <a href="/settings/integrations">Integrations</a>
        </p>
        <h1>{INTEGRATION_WORDS[integration.type].title}</h1>
      </div>
      <div class="row">
        {canReceive(integration) && (
          <Sure label="Rotate the URL" action={`/settings/integrations/${integration.id}/rotate`} button="Rotate now">
            The present webhook URL is dead at once: {INTEGRATION_WORDS[integration.type].title} needs the new one.
          </Sure>
        )}
        {isSigned(integration.type) && (
          <Sure label="Rotate the secret" action={`/settings/integrations/${integration.id}/rotate-secret`} button="Rotate now">
            The new one is shown once. For a day messages are signed with the present one, too: have the receiver take the new one by then.
          </Sure>
        )}
        <Sure label="Delete" action={`/settings/integrations/${integration.id}/delete`} button="Delete for good">
          Its webhook stops at once and its secrets are gone.
        </Sure>
      </div>
    </div>
    <Notice done={done} />
    <FlagsNotice flags={flags} />
    <div class="columns">
      <SetupSteps integration={integration} webhookUrl={webhookUrl} token={token} />
      <EditForm integration={integration} />
    </div>
    {deliveries && deliveries.latest.length > 0 && <Deliveries deliveries={deliveries} now={now} />}
    {canBeTested(integration) && <ToldSection integration={integration} messages={messages} now={now} />}
  </>
)

const Deliveries = ({ deliveries: { latest, today }, now }: { readonly deliveries: DoorDeliveries; readonly now: Date }) => (
  <section aria-labelledby="deliveries">
    <h2 id="deliveries">Latest deliveries</h2>
    <p class="small quiet">
      Today: {today.taken} taken, {today.ignored} ignored, {today.refused} refused
    </p>
    <ul>
      {latest.map(({ at, text }) => (
        <li>
          <Age at={at} now={now} /> {text}
        </li>
      ))}
    </ul>
  </section>
)

const SetupSteps = ({ integration, webhookUrl, token }: SetupProps) => {
  const { Setup } = INTEGRATION_WORDS[integration.type]
  return (
    <section aria-labelledby="setup">
      <h2 id="setup">How to set it up</h2>
      <ol class="steps">
        <Setup integration={integration} webhookUrl={webhookUrl} token={token} />
      </ol>
    </section>
  )
}

const EditForm = ({ integration }: { readonly integration: Integration }) => {
  const { id, type, direction, from, serviceMap, settings } = integration
  const words = INTEGRATION_WORDS[type]
  const receiver = findReceiver(type)
  return (
    <ForManagers>
      <section aria-labelledby="edit">
        <h2 id="edit">Settings</h2>
        <form method="post" action={`/settings/integrations/${id}`} class="fields tall">
          <DirectionField type={type} direction={direction} />
          {INTEGRATIONS[type].secrets.map((field) => (
            <SecretInput field={field} isSet={integration.secrets[field] !== undefined} />
          ))}
          {words.from !== undefined && (
            <div class="field">
              <label for="pagerduty_from">{words.from}</label>
              <input
                id="pagerduty_from"
                name="pagerduty_from"
                type="email"
                value={from ?? ''}
                placeholder="oncall@example.com"
                autocomplete="off"
              />
            </div>
          )}
          {words.map !== undefined && <MapField serviceMap={serviceMap} {...words.map} />}
          {receiver && <FilterFields settings={settings} receiver={receiver} />}
          <div>
            <button type="submit" class="first">
              Save
            </button>
          </div>
        </form>
      </section>
    </ForManagers>
  )
}

const MapField = ({ serviceMap, example, hint }: { readonly serviceMap: ServiceMap; readonly example: string; readonly hint: string }) => (
  <>
    <div class="field">
      <label for="service_map">Services</label>
      <textarea id="service_map" name="service_map" spellcheck={false} placeholder={example} aria-describedby="map-hint">
        {toMapLines(serviceMap)}
      </textarea>
      <p class="hint" id="map-hint">
        {hint}
      </p>
    </div>
    <input type="hidden" name="map_shown" value={toMapVersion(serviceMap)} />
  </>
)

const SecretInput = ({ field, isSet }: { readonly field: SecretSetting; readonly isSet: boolean }) => (
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

/** Which way an integration works. */
export const DirectionField = ({ type, direction }: { readonly type: IntegrationType; readonly direction: Direction }) => (
  <div class="field">
    <label for={`direction-${type}`}>Direction</label>
    <select id={`direction-${type}`} name="direction">
      {INTEGRATIONS[type].directions.toReversed().map((one) => (
        <option value={one} selected={one === direction}>
          {INTEGRATION_WORDS[type].directions[one]}
        </option>
      ))}
    </select>
  </div>
)
