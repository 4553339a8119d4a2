import { field, parseJson } from '../json.ts'
import type { Message } from '../telling/message.ts'
import { ANSWERS, cut, followsNever, type Receiver, toText } from './receiver.ts'

const MAX_TEXT = 4_000
/** Grafana's database takes no longer one: https://github.com/grafana/grafana/issues/98361 */
const MAX_TAG = 100

/** An annotation of Grafana's at the time of the blamed change: https://grafana.com/docs/grafana/latest/developers/http_api/annotations */
export const grafanaAnnotations: Receiver = {
  scope: 'all',
  secrets: ['url', 'grafana_token'],
  hasChannels: false,
  tells: ANSWERS,
  tellsByDefault: ANSWERS,
  needsBlame: true,
  repeats: () => 'asked',
  follows: followsNever,
  findMissing: ({ secrets }) =>
    secrets.url === undefined || secrets.grafana_token === undefined ? 'url and grafana_token are not both set' : undefined,
  write: writeAnnotation,
  isAbout: (text, incidentId, number) => {
    const tags = field(parseJson(text), 'tags')
    return Array.isArray(tags) && tags.includes(toTag({ incidentId, number }))
  },
}

function writeAnnotation(message: Message): string {
  const { incidentId, service, answer, triggeredAt } = message
  const at = answer?.blamed?.at ?? triggeredAt
  return JSON.stringify({
    time: at.getTime(),
    tags: ['noctuary', cut(answer?.blamed?.service ?? service, MAX_TAG), toTag({ incidentId, number: answer?.number ?? 0 })],
    text: toText(message, MAX_TEXT),
  })
}

const toTag = ({ incidentId, number }: { readonly incidentId: string; readonly number: number }): string =>
  `incident:${incidentId}/${number}`
