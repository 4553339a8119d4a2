import { type AnswerParts, type Message, toOneLine, toRuledOutLines, toSurenessLine, toTimelineLines } from '../telling/message.ts'
import { cut, FOLLOWED_ANSWERS, isNeverAbout, type Receiver, type ReceiverSettings } from './receiver.ts'

// Limits: https://docs.slack.dev/reference/block-kit/blocks (header 150, section and context 3,000, fifty blocks a message).
const MAX_HEADER = 150
const MAX_SECTION = 3_000
const MAX_TEXT = 3_000

/**
 * Slack, by an incoming webhook, or by a bot's token: then one message an incident is edited as its answer changes, and what
 * else there is to say goes into its thread. Foreign text stands in `plain_text` without emoji, which Slack does not interpret.
 */
export const slack: Receiver = {
  scope: 'all',
  secrets: ['url', 'bot_token'],
  hasChannels: true,
  tells: FOLLOWED_ANSWERS,
  tellsByDefault: FOLLOWED_ANSWERS,
  needsBlame: false,
  repeats: (secrets) => (secrets.bot_token === undefined ? 'never' : 'asked_if_allowed'),
  follows: (secrets) => (secrets.bot_token === undefined ? 'never' : 'thread'),
  findMissing: ({ secrets, channel }) => {
    if (secrets.bot_token !== undefined) return channel === null ? 'channel is not set' : undefined
    return secrets.url === undefined ? 'neither url nor bot_token is set' : undefined
  },
  write: writeSlack,
  isAbout: isNeverAbout,
}

type Block = Readonly<Record<string, unknown>>

function writeSlack(message: Message, { channel, secrets }: ReceiverSettings): string {
  const { answer } = message
  return JSON.stringify({
    ...(secrets.bot_token === undefined ? {} : { channel }),
    text: toSlackText(cut(toOneLine(message), MAX_TEXT)),
    blocks: answer ? toBlocks(message, answer, secrets.bot_token !== undefined) : [section(toOneLine(message))],
    unfurl_links: false,
    unfurl_media: false,
  })
}

function toBlocks(message: Message, answer: AnswerParts, hasThread: boolean): readonly Block[] {
  const { headline, sureness, was, action, cost } = answer
  if (message.type === 'incident.details') return toDetails(answer)
  if (message.type === 'incident.resolved' || message.type === 'incident.undone') return [section(toOneLine(message))]
  const links = toLinks(message)
  return [
    { type: 'header', text: plain(cut(`${sureness}: ${headline}`, MAX_HEADER)) },
    ...(was === null || hasThread ? [] : [toSecondLook(was)]),
    section(`${headline}\n${toSurenessLine(answer)}\nWhat broke: ${message.broke}`),
    section(`Recommended action: ${action}`),
    ...(hasThread ? [] : toEvidence(answer)),
    ...(links === '' ? [] : [{ type: 'section', text: { type: 'mrkdwn', text: links, verbatim: true } }]),
    { type: 'context', elements: [plain(cut(`Noctuary, ${cost}`, MAX_SECTION))] },
  ]
}

/** What a thread begins with, or goes on with after a second look. */
function toDetails(answer: AnswerParts): readonly Block[] {
  const { was, headline } = answer
  return [...(was === null ? [] : [toSecondLook(was), section(`Now: ${headline}`)]), ...toEvidence(answer)]
}

const toSecondLook = (was: string): Block => section(`Second look: later events changed the answer.\nWas: ${was}`)

function toEvidence(answer: AnswerParts): readonly Block[] {
  return [toTimelineLines(answer), toRuledOutLines(answer)].filter((lines) => lines.length > 0).map((lines) => section(lines.join('\n')))
}

/** Our own addresses, and no word from an event. */
function toLinks({ pageUrl, verdictUrls }: Message): string {
  const links = [
    ...(pageUrl === null ? [] : [`<${toSlackText(pageUrl)}|Open the incident>`]),
    ...(verdictUrls === null ? [] : [`<${toSlackText(verdictUrls.confirm)}|Confirm>`, `<${toSlackText(verdictUrls.reject)}|Reject>`]),
  ]
  return links.join(' · ')
}

const section = (text: string): Block => ({ type: 'section', text: plain(cut(text, MAX_SECTION)) })

const plain = (text: string): Block => ({ type: 'plain_text', text, emoji: false })

/** The three characters that Slack reads as control sequences. */
const toSlackText = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
