import type { Neighbour, Neighbours } from '../../domain/graph/neighbourhood.ts'
import type { ServiceId } from '../../domain/ids.ts'
import type { Neighbourhood } from '../../store/neighbourhoods.ts'
import { count } from '../labels.ts'
import { Age, ForManagers, Outside } from '../parts.tsx'

type Props = {
  readonly id: ServiceId
  readonly around: Neighbourhood
  readonly neighbours: Neighbours
  readonly now: Date
  readonly isOpen: boolean
}

/** The map as lists, and what people may say of it: whom a service calls, and whose it is. */
export const DependencyForms = ({ id, around, neighbours, now, isOpen }: Props) => (
  <details class="more" open={isOpen}>
    <summary id="dependencies">The same as lists, to edit</summary>
    <div class="columns">
      <Ends title="Calls it" ends={neighbours.callers} around={around} now={now} />
      <Ends title="It calls" ends={neighbours.callees} around={around} now={now} />
    </div>
    <ForManagers>
      <div class="columns">
        <form method="post" action={`/services/${id}/dependencies`} class="fields tall">
          <div class="field">
            <label for="declared">Declared, one a line</label>
            <textarea id="declared" name="declared" spellcheck={false} aria-describedby="declared-hint">
              {around.edges.flatMap(({ caller, callee, declared }) => (declared && caller === around.name ? [callee] : [])).join('\n')}
            </textarea>
            <p class="hint" id="declared-hint">
              What it calls that no failure has shown yet. Diagnoses follow both.
            </p>
          </div>
          <div>
            <button type="submit">Save what it calls</button>
          </div>
        </form>
        <form method="post" action={`/services/${id}/owner`} class="fields tall">
          <div class="field">
            <label for="team">Team</label>
            <input id="team" name="team" value={around.team ?? ''} maxlength={512} autocomplete="off" />
          </div>
          <div class="field">
            <label for="owner_url">Where its owner is found</label>
            <input id="owner_url" name="owner_url" type="url" value={around.ownerUrl ?? ''} maxlength={2048} autocomplete="off" />
          </div>
          <div>
            <button type="submit">Save whose it is</button>
          </div>
        </form>
      </div>
    </ForManagers>
  </details>
)

type EndsProps = { readonly title: string; readonly ends: readonly Neighbour[]; readonly around: Neighbourhood; readonly now: Date }

const Ends = ({ title, ends, around: { edges, services }, now }: EndsProps) => (
  <div>
    <h3>{title}</h3>
    {ends.length === 0 && <p class="quiet">Nothing yet: failing calls will show it.</p>}
    <ul>
      {ends.map(({ name, isDeclared, isOutside }) => {
        const service = services.find((one) => one.name === name)
        const edge = edges.find(({ caller, callee }) => caller === name || callee === name)
        return (
          <li>
            {service === undefined ? (
              <Outside>{name}</Outside>
            ) : (
              <a href={`/services/${service.id}`}>
                <Outside>{name}</Outside>
              </a>
            )}{' '}
            <span class="small quiet">
              {edge?.lastSeenAt && (
                <>
                  learned from {count(edge.seen, 'failure')}, the last <Age at={edge.lastSeenAt} now={now} />
                </>
              )}
              {isDeclared && (edge?.lastSeenAt ? ', declared' : 'declared')}
              {isOutside && ', outside'}
            </span>
          </li>
        )
      })}
    </ul>
  </div>
)
