import type { Diagnosis, DiagnosisInput } from '../../src/domain/diagnosis/model.ts'
import type { ServiceWindow, WindowEntry } from '../../src/domain/window/window.ts'
import { ALERT_AT, makeEntry } from './diagnosis.ts'

/** What is on record, two minutes after the shop's front end alerts, and what the answer says. */
export type ToldRow = {
  readonly name: string
  readonly windows: readonly ServiceWindow[]
  readonly rest?: Partial<DiagnosisInput>
  readonly says: readonly string[]
}

export const later = (seconds: number) => new Date(ALERT_AT.getTime() + seconds * 1_000)

export const deploy = (seconds: number, sha: string, fields: Partial<WindowEntry> = {}): WindowEntry =>
  makeEntry(seconds, 'deploy', { sha, newValue: `syncing:${sha}`, ...fields })

/** Failing calls, reported until after the alert. */
export const failure = (seconds: number, callee: string, newValue = 'success=60%'): WindowEntry =>
  makeEntry(seconds, 'dependency_failure', { vendor: 'istio', entity: `service/${callee}`, newValue, count: 9, timestamp: later(60) })

/** Errors that name nobody, or a host in their text. */
export const errors = (seconds: number, newValue: string, fields: Partial<WindowEntry> = {}): WindowEntry =>
  makeEntry(seconds, 'dependency_failure', { vendor: 'pino', entity: 'frontend', newValue, count: 40, timestamp: later(60), ...fields })

/** Every text of an answer, in the order in which one reads them; of what is named the reasons stand in the reasoning. */
export function tell({
  assessment,
  hypothesis,
  recommendedAction,
  reasoning,
  hypotheses,
  ruledOut,
  abstained,
}: Diagnosis): readonly string[] {
  const others = hypotheses
    .slice(abstained ? 0 : 1)
    .flatMap(({ sentence, recommendedAction: action, reasonsFor, reasonsAgainst }) => [
      `or: ${sentence}`,
      ...(action === null ? [] : [`    → ${action}`]),
      ...reasonsFor.map((reason) => `    + ${reason}`),
      ...reasonsAgainst.map((reason) => `    − ${reason}`),
    ])
  return [
    `${assessment}: ${hypothesis}`,
    ...(recommendedAction === null ? [] : [`→ ${recommendedAction}`]),
    reasoning,
    ...others,
    ...ruledOut.map(({ text }) => `not: ${text}`),
  ]
}
