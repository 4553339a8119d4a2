import type { Hypothesis, RuledOut } from '../../domain/diagnosis/model.ts'
import type { StoredDiagnosis } from '../../store/incidents.ts'
import { nameChange, toPageWords } from '../event-words.ts'
import { count, toMoment, toPercent } from '../labels.ts'
import { Outside, Sentence } from '../parts.tsx'
import { findOutside, type ShownAnswer, toShares } from '../shown-answer.ts'
import { Meter } from './incident-parts.tsx'

const MAX_HYPOTHESES = 5
/** Shares below this are not worth a number. */
const LEAST = 0.01
const MAX_RULED_OUT = 12

type Props = { readonly answer: ShownAnswer; readonly latest: StoredDiagnosis }

/** What may have caused it, what was ruled out, and what could not be seen. */
export const Causes = ({ answer, latest }: Props) => (
  <div class="columns stack">
    <Ranked answer={answer} latest={latest} />
    <div class="stack">
      <RuledOutList ruledOut={answer.ruledOut} />
      {!latest.abstained && <Gaps answer={answer} />}
    </div>
  </div>
)

const Ranked = ({ answer, latest }: Props) => {
  const shares = latest.abstained ? [] : toShares(answer, latest.confidence)
  const rest = 1 - shares.reduce((sum, share) => sum + share, 0)
  const { hypotheses } = answer
  return (
    <section aria-labelledby="hypotheses">
      <h2 id="hypotheses">{latest.abstained ? 'Looked at: none explains it' : 'Ranked causes'}</h2>
      {hypotheses.length === 0 ? (
        <p class="quiet">No recorded change could have caused it.</p>
      ) : (
        <ol class="card ranked">
          {hypotheses.slice(0, MAX_HYPOTHESES).map((hypothesis, place) => (
            <HypothesisItem hypothesis={hypothesis} answer={answer} share={shares[place]} isFirst={place === 0} />
          ))}
          {!latest.abstained && rest >= LEAST && (
            <li class="none">
              <h3 class="quiet">Nothing that is on record</h3>
              <Share of={rest} />
            </li>
          )}
        </ol>
      )}
      {hypotheses.length > MAX_HYPOTHESES && (
        <p class="small quiet">{count(hypotheses.length - MAX_HYPOTHESES, 'weaker one')} in the API’s answer.</p>
      )}
    </section>
  )
}

const Share = ({ of }: { readonly of: number }) => (
  <div class="share">
    <strong>{of < LEAST ? 'under 1 %' : toPercent(of)}</strong>
    <Meter of={of} />
  </div>
)

type ItemProps = {
  readonly hypothesis: Hypothesis
  readonly answer: ShownAnswer
  readonly share: number | undefined
  readonly isFirst: boolean
}

const HypothesisItem = ({ hypothesis, answer, share, isFirst }: ItemProps) => {
  const { sentence, path, reasonsFor, reasonsAgainst, recommendedAction, eventIds } = hypothesis
  const entry = answer.entries.find(({ id }) => id === eventIds[0])
  const alertAt = new Date(answer.snapshot.alert.triggered_at)
  const reasons = (
    <>
      {path.length > 1 && (
        <p class="small quiet">
          <Sentence>{path.join(' → ')}</Sentence>
        </p>
      )}
      <ul class="reasons">
        {reasonsFor.map((reason) => (
          <li>
            <Sentence>{toPageWords(reason)}</Sentence>
          </li>
        ))}
        {reasonsAgainst.map((reason) => (
          <li class="against">
            <span>
              <span class="hidden">Against it: </span>
              <Sentence>{toPageWords(reason)}</Sentence>
            </span>
          </li>
        ))}
      </ul>
      {recommendedAction !== null && !isFirst && (
        <p class="small action">
          <Sentence>{toPageWords(recommendedAction)}</Sentence>
        </p>
      )}
    </>
  )
  return (
    <li>
      <h3>
        <Sentence>{entry ? `${nameChange(entry)}, ${toMoment(new Date(entry.first_timestamp), alertAt)}` : toPageWords(sentence)}</Sentence>
      </h3>
      {share !== undefined && <Share of={share} />}
      {isFirst ? (
        <div class="why">{reasons}</div>
      ) : (
        <details class="why">
          <summary class="small">
            {reasonsFor.length} for, {reasonsAgainst.length} against
          </summary>
          {reasons}
        </details>
      )}
    </li>
  )
}

const RULED_OUT_NAMES: Readonly<Record<RuledOut['reason'], string>> = {
  after_onset: 'Came after the trouble began',
  no_path: 'No recorded call path to it',
  reverted: 'Undone before the trouble began',
  revert: 'Set back another change',
  not_rolled_out: 'Was never put in place',
  consequence: 'Followed the trouble',
  other_environment: 'Made in another environment',
}

const RuledOutList = ({ ruledOut }: { readonly ruledOut: readonly RuledOut[] }) => (
  <section aria-labelledby="ruled-out">
    <h2 id="ruled-out">Ruled out {ruledOut.length > 0 && <span class="quiet small">{count(ruledOut.length, 'change')}</span>}</h2>
    {ruledOut.length === 0 ? (
      <p class="quiet">No other change of that time was on record.</p>
    ) : (
      <ul class="card ruled">
        {[...Map.groupBy(ruledOut, ({ reason }) => reason)].map(([reason, own], place) => (
          <li>
            <details open={place === 0 && own.length < 4}>
              <summary>
                {RULED_OUT_NAMES[reason]} <span class="badge plain">{own.length}</span>
              </summary>
              <ul class="small">
                {own.slice(0, MAX_RULED_OUT).map(({ text }) => (
                  <li>
                    <Sentence>{toPageWords(text)}</Sentence>
                  </li>
                ))}
              </ul>
            </details>
          </li>
        ))}
      </ul>
    )}
  </section>
)

/** Of what was on the way nobody tells: services whose changes are not sent, and a host outside. */
export const Gaps = ({ answer }: { readonly answer: ShownAnswer }) => {
  const { gaps = [], snapshot } = answer
  const outside = findOutside(answer)
  const told = [
    ...(outside === undefined ? [] : [{ name: outside, text: 'it is outside, and nobody reports from there' }]),
    ...gaps.map(({ service, state, since }) => ({
      name: service,
      text: `${state === 'never' ? 'nobody has ever told of its changes' : 'who tells of its changes is silent'}${
        since === null ? '' : ` since ${toMoment(new Date(since), new Date(snapshot.alert.triggered_at))}`
      }`,
    })),
  ]
  return told.length === 0 ? null : (
    <section aria-labelledby="gaps">
      <h2 id="gaps">
        What it could not see <span class="quiet small">{count(told.length, 'gap')}</span>
      </h2>
      <ul class="card gaps">
        {told.slice(0, MAX_RULED_OUT).map(({ name, text }) => (
          <li>
            <span>
              <strong>
                <Outside>{name}</Outside>
              </strong>
              : {text}
            </span>
            <a href="/connect">Connect a sender</a>
          </li>
        ))}
      </ul>
    </section>
  )
}
