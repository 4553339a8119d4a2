import { type Aftermath, foldSteps, type Step } from '../aftermath.ts'
import { Glyph } from '../chart.tsx'
import { toMoment, toSpan } from '../labels.ts'
import { Sentence } from '../parts.tsx'

const MAX_TEXT = 200

type Props = { readonly aftermath: Aftermath; readonly alertAt: Date; readonly isOpen: boolean }

/** What happened since the alert, each with its time and how long after. */
export const Since = ({ aftermath: { steps, newsAt }, alertAt, isOpen }: Props) => (
  <section aria-labelledby="since">
    <h2 id="since">
      Since the alert
      {isOpen && (
        <span class="pulse" data-following="" hidden>
          Following, last news{' '}
          <time datetime={newsAt.toISOString()} data-age="">
            {toMoment(newsAt, alertAt)}
          </time>
        </span>
      )}
    </h2>
    <div class="card">
      <ol class="since">
        {foldSteps(steps).map((one) =>
          'text' in one ? (
            <StepItem step={one} alertAt={alertAt} />
          ) : (
            <li class="folded">
              <details>
                <summary>{one.length} more</summary>
                <ol>
                  {one.map((step) => (
                    <StepItem step={step} alertAt={alertAt} />
                  ))}
                </ol>
              </details>
            </li>
          ),
        )}
      </ol>
    </div>
  </section>
)

const StepItem = ({ step: { at, kind, text }, alertAt }: { readonly step: Step; readonly alertAt: Date }) => (
  <li>
    <Glyph type={kind} />
    <time datetime={at.toISOString()}>
      {toMoment(at, alertAt)}
      {at > alertAt && `, + ${toSpan(at.getTime() - alertAt.getTime())}`}
    </time>
    <span class={kind === 'undone' || kind === 'well' ? 'good' : undefined}>
      <Sentence max={MAX_TEXT}>{text}</Sentence>
    </span>
  </li>
)
