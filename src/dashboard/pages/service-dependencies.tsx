import type { ServiceId } from '../../domain/ids.ts'
import type { Dependencies } from '../../store/service-graph.ts'
import { count } from '../labels.ts'
import { Age, ForManagers, Outside } from '../parts.tsx'

type DependencyProps = { readonly id: ServiceId; readonly dependencies: Dependencies; readonly now: Date }

/** What a service depends on, learned and declared. */
export const DependencyList = ({ id, dependencies: { learned, declared }, now }: DependencyProps) => (
  <section aria-labelledby="dependencies">
    <h2 id="dependencies">Depends on</h2>
    {learned.length === 0 ? (
      <p class="quiet">Nothing learned yet: its failures will show what it calls.</p>
    ) : (
      <ul>
        {learned.map(({ service, seen, lastSeenAt }) => (
          <li>
            <Outside>{service}</Outside>{' '}
            <span class="small quiet">
              learned from {count(seen, 'failure')}, the last <Age at={lastSeenAt} now={now} />
            </span>
          </li>
        ))}
      </ul>
    )}
    <ForManagers
      otherwise={
        declared.length === 0 ? null : (
          <p>
            Declared:{' '}
            {declared.map((name) => (
              <>
                <Outside>{name}</Outside>{' '}
              </>
            ))}
          </p>
        )
      }
    >
      <form method="post" action={`/services/${id}/dependencies`} class="fields tall">
        <div class="field">
          <label for="declared">Declared, one a line</label>
          <textarea id="declared" name="declared" spellcheck={false} aria-describedby="declared-hint">
            {declared.join('\n')}
          </textarea>
          <p class="hint" id="declared-hint">
            What you know that no failure has shown yet. Diagnoses follow both.
          </p>
        </div>
        <div>
          <button type="submit">Save</button>
        </div>
      </form>
    </ForManagers>
  </section>
)
