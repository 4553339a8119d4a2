import { type AnswerParts, type Message, toOneLine, toRuledOutLines, toTimelineLines } from '../telling/message.ts'
import { BY_URL, cut, type Receiver } from './receiver.ts'

// A workflow's webhook takes cards up to version 1.4 and messages of 28 kB:
// https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/connectors-using
const VERSION = '1.4'
const MAX_RUN = 4_000

/** A channel of Microsoft Teams', by a workflow's webhook. Foreign text stands in text runs, which know no markup. */
export const teams: Receiver = {
  ...BY_URL,
  write: (message) =>
    JSON.stringify({
      type: 'message',
      attachments: [
        {
          contentType: 'application/vnd.microsoft.card.adaptive',
          contentUrl: null,
          content: {
            $schema: 'http://adaptivecards.io/schemas/adaptive-card.json',
            type: 'AdaptiveCard',
            version: VERSION,
            body: toBody(message),
            actions: toActions(message),
          },
        },
      ],
    }),
}

type Element = Readonly<Record<string, unknown>>

function toBody(message: Message): readonly Element[] {
  const { answer } = message
  if (!answer) return [text([toOneLine(message)])]
  return [text([`${answer.sureness}: ${answer.headline}`], { weight: 'Bolder', size: 'Medium' }), ...toSections(message, answer)]
}

function toSections({ broke }: Message, answer: AnswerParts): readonly Element[] {
  const { was, action, cost } = answer
  const sections = [
    was === null ? [] : ['Second look: later events changed the answer.', `Was: ${was}`],
    [`What broke: ${broke}`],
    [`Recommended action: ${action}`],
    toTimelineLines(answer),
    toRuledOutLines(answer),
  ]
  return [
    ...sections.filter((lines) => lines.length > 0).map((lines) => text(lines)),
    text([`Noctuary, ${cost}`], { isSubtle: true, size: 'Small' }),
  ]
}

/** One paragraph of text runs, a line each. */
function text(lines: readonly string[], style: Element = {}): Element {
  return { type: 'RichTextBlock', inlines: [{ type: 'TextRun', text: cut(lines.join('\n'), MAX_RUN), ...style }] }
}

function toActions({ pageUrl, verdictUrls }: Message): readonly Element[] {
  const links: readonly (readonly [string, string | undefined])[] = [
    ['Open the incident', pageUrl ?? undefined],
    ['Confirm', verdictUrls?.confirm],
    ['Reject', verdictUrls?.reject],
  ]
  return links.flatMap(([title, url]) => (url === undefined ? [] : [{ type: 'Action.OpenUrl', title, url }]))
}
