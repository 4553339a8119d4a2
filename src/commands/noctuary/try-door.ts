import { DOORS } from '../../domain/doors/index.ts'
import { DOOR_TYPES } from '../../domain/integration-type.ts'
import { CommandError } from '../command-error.ts'
import { callApi, defineVerb, EXIT, JSON_FLAG, toJson, toPlain, toQuoted } from './api.ts'

/** As a door answers `?dry=1`. */
type Rehearsed = {
  readonly events: readonly { readonly event_type: string; readonly service_name: string; readonly new_value?: string }[]
  readonly alerts: readonly { readonly action: string; readonly service?: string; readonly title: string }[]
  readonly ignored: string | null
  readonly invalid: string | null
}

/** Sends a sender's sample to its door, which says what it would become and stores nothing. */
export const tryDoor = defineVerb({
  meta: { name: 'test', description: 'Ask a door what it makes of its sender’s sample; nothing is stored (ingest key)' },
  args: { door: { type: 'positional', description: DOOR_TYPES.join(', '), required: true }, ...JSON_FLAG },
  run: async ({ args }) => {
    const sender = DOOR_TYPES.find((one) => one === args.door)
    if (sender === undefined) throw new CommandError(`there is no door "${toPlain(args.door)}": ${DOOR_TYPES.join(', ')}`, EXIT.usage)
    const { body, headers = {} } = DOORS[sender].example
    // A rehearsal is what a door answers `dry` with.
    const rehearsed = (await callApi(`/in/${sender}`, { method: 'POST', query: { dry: '1' }, headers, body })) as Rehearsed
    console.log(args.json ? toJson(rehearsed) : toLines(rehearsed).map(toPlain).join('\n'))
    if (rehearsed.events.length + rehearsed.alerts.length === 0) throw new CommandError('nothing would be stored', EXIT.refused)
  },
})

function toLines({ events, alerts, ignored, invalid }: Rehearsed): readonly string[] {
  return [
    ...events.map((event) =>
      `event: ${event.event_type} of ${toQuoted(event.service_name)} ${event.new_value === undefined ? '' : toQuoted(event.new_value)}`.trimEnd(),
    ),
    ...alerts.map((alert) => `alert: ${alert.action} for ${toQuoted(alert.service ?? 'unknown')}: ${toQuoted(alert.title)}`),
    ...(ignored === null ? [] : [`ignored: ${ignored}`]),
    ...(invalid === null ? [] : [`refused: ${invalid}`]),
  ]
}
