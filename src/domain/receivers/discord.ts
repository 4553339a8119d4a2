import { type Message, toLines, toOneLine } from '../telling/message.ts'
import { BY_URL, cut, type Receiver } from './receiver.ts'

// https://discord.com/developers/docs/resources/webhook#execute-webhook: content has at most 2,000 characters.
const MAX_CONTENT = 2_000
/** SUPPRESS_EMBEDS: nothing is fetched and shown for a link. */
const NO_EMBEDS = 4

/** A channel of Discord's, by its webhook. No mention is resolved, whatever the text says. */
export const discord: Receiver = {
  ...BY_URL,
  write: (message) => JSON.stringify({ content: toContent(message), allowed_mentions: { parse: [] }, flags: NO_EMBEDS }),
}

/** The links first, so that no long text cuts them off. */
function toContent(message: Message): string {
  if (!message.answer) return cut(toOneLine(message), MAX_CONTENT)
  const { verdictUrls } = message
  const links = verdictUrls === null ? '' : `\nConfirm: <${verdictUrls.confirm}>\nReject: <${verdictUrls.reject}>`
  return `${cut(toLines(message).join('\n'), MAX_CONTENT - links.length)}${links}`
}
