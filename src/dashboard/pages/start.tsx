import type { Deps } from '../../deps.ts'
import { type FirstSteps, getFirstSteps } from '../../store/tenants.ts'
import { renderPage } from '../layout.tsx'
import { createPageRouter, readPage } from '../page-request.ts'
import { Code, Live } from '../parts.tsx'

/** How to send the first event, with this installation's own address. */
export const startPages = (deps: Deps) =>
  createPageRouter().get('/start', async (c) => {
    const steps = await readPage(c, deps, getFirstSteps)
    const base = deps.publicUrl ?? new URL(c.req.url).origin
    return renderPage(c, { title: 'Getting started', now: deps.now(), tab: 'connect' }, <Start steps={steps} base={base} />)
  })

const Start = ({ steps, base }: { readonly steps: FirstSteps; readonly base: string }) => (
  <>
    <div class="head">
      <div>
        <h1>Getting started</h1>
        <p class="quiet">From an empty store to the first diagnosis in four steps. What is done is ticked.</p>
      </div>
    </div>
    <Live id="steps" of={steps} news={steps.hasEvent ? 'The first event has arrived.' : 'An agent has registered.'}>
      {steps.hasEvent && (
        <p class="notice good">
          The first event has arrived. <a href="/services">See your services</a>, or go on below.
        </p>
      )}
      <ol class="steps">
        <Step isDone={steps.hasIngestKey} title="Make an ingest key">
          <p>
            Agents send with a key of their own kind. <a href="/settings/keys">Make an ingest key</a> and put it into your shell:
          </p>
          <Code what="the line that sets the key">{'INGEST=noc_ingest_…'}</Code>
        </Step>
        <Step isDone={steps.hasAgent} title="Register an agent">
          <Code what="the line that registers an agent">
            {`curl -i ${base}/v1/agents/register -H "Authorization: Bearer $INGEST" -H 'Content-Type: application/json' -d '{"hostname":"my-laptop"}'`}
          </Code>
        </Step>
        <Step isDone={steps.hasEvent} title="Send the first event">
          <Code what="the line that sends an event">
            {`curl -i ${base}/v1/events -H "Authorization: Bearer $INGEST" -H 'Content-Type: application/json' -d '{"service_name":"checkout","vendor":"argocd","entity":"checkout","event_type":"deploy","new_value":"succeeded","sha":"a4f2c1","confidence":0.95,"ttl_seconds":1800}'`}
          </Code>
          {!steps.hasEvent && (
            <p class="quiet">
              This page looks by itself whether it has arrived. <a href="/start">Look now</a>
            </p>
          )}
        </Step>
        <Step isDone={steps.hasIntegration} title="Connect your pager">
          <p>
            Then every alert is diagnosed on its own: <a href="/settings/integrations">connect PagerDuty</a>. Without one, any{' '}
            <a href="/services">service</a> can be diagnosed on demand.
          </p>
        </Step>
      </ol>
    </Live>
  </>
)

const Step = ({ isDone, title, children }: { readonly isDone: boolean; readonly title: string; readonly children: unknown }) => (
  <li class={isDone ? 'done' : ''}>
    <h2>
      {title}
      {isDone && <span class="hidden"> (done)</span>}
    </h2>
    <div class="prose">{children}</div>
  </li>
)
