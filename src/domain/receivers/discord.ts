import { type Message, toFollowUpLines, toOneLine } from '../telling/message.ts'
import { BY_URL, cut, FOLLOWED_ANSWERS, type Receiver, toText } from './receiver.ts'

// https://discord.com/developers/docs/resources/webhook#execute-webhook: content has at most 2,000 characters.
const MAX_CONTENT = 2_000
/** Of a line that says what followed, the answer below it being worth its room, too. */
const MAX_FOLLOW_UP = 400
/** SUPPRESS_EMBEDS: nothing is fetched and shown for a link. */
const NO_EMBEDS = 4

/**
 * A channel of Discord's, by its webhook, which edits what it posted when there is more to say. No mention is resolved, whatever
 * the text says.
 */
export const discord: Receiver = {
  ...BY_URL,
  tells: FOLLOWED_ANSWERS,
  tellsByDefault: FOLLOWED_ANSWERS,
  follows: () => 'edit',
  write: (message) => JSON.stringify({ content: toContent(message), allowed_mentions: { parse: [] }, flags: NO_EMBEDS }),
}

/** The links first, so that no long text cuts them off. */
function toContent(message: Message): string {
  if (!message.answer) return cut(toOneLine(message), MAX_CONTENT)
  const { verdictUrls } = message
  const links = verdictUrls === null ? '' : `\nConfirm: <${verdictUrls.confirm}>\nReject: <${verdictUrls.reject}>`
  const followUp = toFollowUpLines(message)
    .map((line) => `${cut(line, MAX_FOLLOW_UP)}\n`)
    .join('')
  return `${followUp}${toText(message, MAX_CONTENT - followUp.length - links.length)}${links}`
}
