import { CommandError } from '../command-error.ts'
import { callApi, defineVerb, EXIT, JSON_FLAG, toJson, toPlain, toQuoted } from './api.ts'

/** What is shown of `GET /v1/incidents/{id}`. */
type Shown = {
  readonly service: string
  readonly title: string | null
  readonly status: string
  readonly triggered_at: string
  readonly resolved_at: string | null
  readonly hypothesis: string | null
  readonly recommended_action: string | null
  readonly confidence: number | null
  readonly engineer_confirmed: boolean | null
  readonly evidence: readonly {
    readonly timestamp: string
    readonly service: string
    readonly event_type: string
    readonly new_value: string | null
  }[]
  readonly ruled_out: readonly { readonly text: string }[]
  readonly failure: string | null
}

/** Shows an incident with its answer. Without an answer the exit code says that there is none. */
export const showIncident = defineVerb({
  meta: { name: 'incident', description: 'Show an incident with its answer (read-only or viewer key)' },
  args: { id: { type: 'positional', description: 'Its id, as the page’s address has it', required: true }, ...JSON_FLAG },
  run: async ({ args }) => {
    // `GET /v1/incidents/{id}` answers no less.
    const incident = (await callApi(`/v1/incidents/${encodeURIComponent(args.id)}`)) as Shown
    console.log(args.json ? toJson(incident, 2) : toLines(incident).map(toPlain).join('\n'))
    if (incident.hypothesis === null) throw new CommandError(`there is no answer: ${incident.failure ?? incident.status}`, EXIT.refused)
  },
})

function toLines(incident: Shown): readonly string[] {
  const { service, title, triggered_at, resolved_at, hypothesis, recommended_action, confidence, engineer_confirmed } = incident
  const verdict = engineer_confirmed === null ? '' : engineer_confirmed ? ', confirmed' : ', marked as wrong'
  return [
    `${toQuoted(service)}${title === null ? '' : `: ${toQuoted(title)}`}`,
    `since ${triggered_at}${resolved_at === null ? '' : `, resolved ${resolved_at}`}`,
    ...(hypothesis === null ? [] : [`${Math.round(100 * (confidence ?? 0))} %${verdict}: ${hypothesis}`]),
    ...(recommended_action === null ? [] : [`Do: ${recommended_action}`]),
    ...incident.evidence.map(({ timestamp, service: where, event_type, new_value }) =>
      ['-', timestamp, toQuoted(where), event_type, ...(new_value === null ? [] : [toQuoted(new_value)])].join(' '),
    ),
    ...incident.ruled_out.map(({ text }) => `Not: ${text}`),
  ]
}
