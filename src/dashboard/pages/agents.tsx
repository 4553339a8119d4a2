import type { Deps } from '../../deps.ts'
import { type AgentStatus, toAgentStatus } from '../../domain/access/agent.ts'
import { EVENT_TYPES } from '../../domain/event/event.ts'
import type { AgentId } from '../../domain/ids.ts'
import { readCursor, toCursor } from '../../http/cursor.ts'
import { type AgentActivity, getAgent, listAgents } from '../../store/agents.ts'
import { type LoggedEvent, listAgentEvents } from '../../store/event-log.ts'
import { TypeLabel, TypeSelect } from '../chart.tsx'
import { count, toChange, toExact, toPercent } from '../labels.ts'
import { renderPage } from '../layout.tsx'
import { createPageRouter, getId, readPage, readText } from '../page-request.ts'
import { Age, Badge, type BadgeKind, Exact, Live, Outside, Pages, Table, withQuery } from '../parts.tsx'
import { Reporter } from './incident-parts.tsx'

const PAGE_SIZE = 50
/** Characters that the changes on one page of a log may take together. */
const MAX_LOG_TEXT = 12_000
const LOG_SIZES = ['10', '20', '50', '100'] as const
const DEFAULT_LOG_SIZE = '20'

const STATUS_KINDS: Readonly<Record<AgentStatus, BadgeKind>> = { online: 'good', stale: 'warn', offline: 'bad' }
const STATUS_NAMES: Readonly<Record<AgentStatus, string>> = { online: 'Online', stale: 'Stale', offline: 'Offline' }

/** The agents and each one's event log. */
export const agentPages = (deps: Deps) =>
  createPageRouter()
    .get('/agents', async (c) => {
      const now = deps.now()
      const agents = await readPage(c, deps, (db, tenantId) => listAgents(db, tenantId))
      const page = Math.max(1, Number(c.req.query('page')) || 1)
      const shown = agents.slice((page - 1) * PAGE_SIZE, page * PAGE_SIZE)
      const next = agents.length > page * PAGE_SIZE ? `/agents?page=${page + 1}` : undefined
      return renderPage(
        c,
        { title: 'Agents', now, tab: 'connect' },
        <>
          <div class="head">
            <div>
              <p class="crumb">
                <a href="/connect">Connect</a>
              </p>
              <h1>Agents</h1>
              <p class="quiet">Online within two minutes of the last sign of life, stale within ten.</p>
            </div>
            <a class="button" href="/start">
              Add an agent
            </a>
          </div>
          {agents.length === 0 ? (
            <div class="empty">
              <h2>No agent has registered yet</h2>
              <p>An agent reads the logs of its host and sends what changed. A curl line does as well.</p>
              <p>
                <a class="button first" href="/start">
                  Get started
                </a>
              </p>
            </div>
          ) : (
            <Live id="agents" of={agents.map((agent) => [agent, toAgentStatus(agent.lastSeenAt, now)])} news="The agents have news.">
              <AgentTable agents={shown} now={now} />
            </Live>
          )}
          <Pages first={page > 1 ? '/agents' : undefined} next={next} name="Next" />
        </>,
      )
    })
    .get('/agents/:id', async (c) => {
      const id = getId<AgentId>(c, 'agent')
      const now = deps.now()
      const filter = readFilter({ ...c.req.query(), service: readText(c, 'service') ?? '', vendor: readText(c, 'vendor') ?? '' })
      const cursor = c.req.query('cursor')
      const query = {
        limit: Number(filter.limit),
        after: cursor === undefined ? undefined : readCursor(cursor),
        serviceName: filter.service,
        vendor: filter.vendor,
        eventType: filter.event_type,
      }
      const [agent, log] = await readPage(c, deps, (db, tenantId) =>
        Promise.all([getAgent(db, tenantId, id), listAgentEvents(db, tenantId, id, query)]),
      )
      const path = `/agents/${id}`
      return renderPage(
        c,
        { title: agent.name, now, tab: 'connect' },
        <>
          <AgentHead agent={agent} now={now} />
          <section aria-labelledby="log">
            <h2 id="log">Event log</h2>
            <LogFilter path={path} filter={filter} />
            {log.events.length === 0 ? (
              <div class="empty">
                <h3>No live event{cursor === undefined && !isFiltering(filter) ? '' : ' matches'}</h3>
                <p>
                  The log holds events until their time to live runs out. <a href={path}>Show the whole log</a>
                </p>
              </div>
            ) : (
              <LogTable events={log.events} />
            )}
            <Pages
              first={cursor === undefined ? undefined : withQuery(path, filter)}
              next={log.next && withQuery(path, { ...filter, cursor: toCursor(log.next) })}
            />
          </section>
        </>,
      )
    })

function readFilter({ limit, service, vendor, event_type }: Readonly<Record<string, string>>) {
  return {
    limit: LOG_SIZES.find((size) => size === limit) ?? DEFAULT_LOG_SIZE,
    service: service || undefined,
    vendor: vendor || undefined,
    event_type: EVENT_TYPES.find((type) => type === event_type),
  }
}

type LogFilters = ReturnType<typeof readFilter>

function isFiltering({ service, vendor, event_type }: LogFilters): boolean {
  return service !== undefined || vendor !== undefined || event_type !== undefined
}

const Status = ({ agent, now }: { readonly agent: AgentActivity; readonly now: Date }) => {
  const status = toAgentStatus(agent.lastSeenAt, now)
  return (
    <Badge kind={STATUS_KINDS[status]} hollow={status === 'offline'}>
      {STATUS_NAMES[status]}
    </Badge>
  )
}

const AgentTable = ({ agents, now }: { readonly agents: readonly AgentActivity[]; readonly now: Date }) => (
  <div class="scroll">
    <table class="fold">
      <thead>
        <tr>
          <th scope="col">Agent</th>
          <th scope="col">Status</th>
          <th scope="col">Last seen</th>
          <th scope="col">Version</th>
          <th scope="col" class="number">
            Events in the last hour
          </th>
        </tr>
      </thead>
      <tbody>
        {agents.map((agent) => (
          <tr>
            <th scope="row">
              <a href={`/agents/${agent.id}`}>
                <Outside>{agent.name}</Outside>
              </a>
              {agent.name !== agent.hostname && (
                <span class="quiet small">
                  {' '}
                  on <Outside>{agent.hostname}</Outside>
                </span>
              )}
            </th>
            <td>
              <Status agent={agent} now={now} />
            </td>
            <td data-label="Last seen">
              <Age at={agent.lastSeenAt} now={now} />
            </td>
            <td data-label="Version">
              {agent.agentVersion === null ? <span class="quiet">unknown</span> : <Outside>{agent.agentVersion}</Outside>}
            </td>
            <td data-label="Events in the last hour" class="number">
              {agent.eventsLastHour.toLocaleString('en')}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  </div>
)

const AgentHead = ({ agent, now }: { readonly agent: AgentActivity; readonly now: Date }) => (
  <div class="head">
    <div>
      <p class="crumb">
        <a href="/agents">Agents</a>
      </p>
      <h1>
        <Outside>{agent.name}</Outside>
      </h1>
      <p class="row quiet">
        <Status agent={agent} now={now} />
        <span>
          last seen <Age at={agent.lastSeenAt} now={now} />
        </span>
      </p>
    </div>
    <dl class="facts small">
      <dt>Host</dt>
      <dd>
        <Outside>{agent.hostname}</Outside>
      </dd>
      <dt>Version</dt>
      <dd>{agent.agentVersion === null ? 'unknown' : <Outside>{agent.agentVersion}</Outside>}</dd>
      <dt>Registered</dt>
      <dd>
        <Exact at={agent.registeredAt} />
      </dd>
      <dt>Last hour</dt>
      <dd>{count(agent.eventsLastHour, 'event')}</dd>
    </dl>
  </div>
)

const LogFilter = ({ path, filter }: { readonly path: string; readonly filter: LogFilters }) => (
  <form method="get" action={path} class="fields" aria-label="Filter the event log">
    <div class="field">
      <label for="service">Service</label>
      <input id="service" name="service" value={filter.service ?? ''} placeholder="any" autocomplete="off" />
    </div>
    <div class="field">
      <label for="vendor">Vendor</label>
      <input id="vendor" name="vendor" value={filter.vendor ?? ''} placeholder="any" autocomplete="off" />
    </div>
    <div class="field">
      <label for="event_type">Type</label>
      <TypeSelect id="event_type" name="event_type" any="any" chosen={filter.event_type} />
    </div>
    <div class="field">
      <label for="limit">Per page</label>
      <select id="limit" name="limit">
        {LOG_SIZES.map((size) => (
          <option value={size} selected={size === filter.limit}>
            {size}
          </option>
        ))}
      </select>
    </div>
    <button type="submit">Filter</button>
    {isFiltering(filter) && <a href={path}>Clear</a>}
  </form>
)

const LogTable = ({ events }: { readonly events: readonly LoggedEvent[] }) => (
  <Table heads={['Received', 'Kind', 'Service', 'What', 'Change', 'Told by', 'Certainty']}>
    {events.map((event) => (
      <tr>
        <td>
          <time
            datetime={event.receivedAt.toISOString()}
            title={`happened ${toExact(event.timestamp)}, expires ${toExact(event.expiresAt)}`}
          >
            {toExact(event.receivedAt).slice(0, 19)}
          </time>
        </td>
        <td>
          <TypeLabel type={event.eventType} />
        </td>
        <td>
          <Outside>{event.serviceName}</Outside>
        </td>
        <td>
          <Outside>{event.entity}</Outside>
        </td>
        <td>
          <Outside max={Math.ceil(MAX_LOG_TEXT / events.length)}>{toChange(event)}</Outside>
        </td>
        <td>
          <Reporter event={event} />
        </td>
        <td data-label="Certainty">{toPercent(event.confidence)}</td>
      </tr>
    ))}
  </Table>
)
