export const MAX_SHOWN_LENGTH = 1_024
const UNSTORABLE = /\0/g

/** The text with U+0000 and lone surrogates, which no store accepts, replaced by U+FFFD. */
export function toStorableText(text: string): string {
  return text.replace(UNSTORABLE, '\uFFFD').toWellFormed()
}

/** Blanks, controls, marks of direction and what has no width. */
const UNSEEN = /^[\s\p{Cc}\p{Cf}\p{Z}\p{DI}]*$/u

/** Whether there is nothing to be seen of a text. */
export const isBlank = (text: string): boolean => UNSEEN.test(text)

const UNPRINTABLE = /[\p{C}\p{Zl}\p{Zp}\p{DI}]+/gu

/** The text on one line, with a blank for what nobody sees: controls, marks of direction, what has no width. */
export function toPrintable(text: string): string {
  return text.replace(UNPRINTABLE, ' ')
}

/** At most 1,024 characters (code points) of a value, which is stored whole. */
export function toShownValue(value: string): string
export function toShownValue(value: string | null): string | null
export function toShownValue(value: string | null): string | null {
  if (value === null || value.length <= MAX_SHOWN_LENGTH) return value
  return Array.from(value.slice(0, 2 * MAX_SHOWN_LENGTH))
    .slice(0, MAX_SHOWN_LENGTH)
    .join('')
}

const MAX_QUOTED_LENGTH = 80
const MAX_READ_LENGTH = 2_048
const LINE_END = /[\n\r\u0085\u2028\u2029]/
/** What may stand bare in a sentence: a name as programs have them, not words. */
const IDENTIFIER = /^\/?[\p{L}\p{N}_](?:[\p{L}\p{N}_.+-]*[\p{L}\p{N}_])?(?:[/:][\p{L}\p{N}_](?:[\p{L}\p{N}_.+-]*[\p{L}\p{N}_])?)*$/u

/** A name as sentences have it: bare when it is one, else quoted as data; its first line, and not too much of that. */
export function quoteName(name: string): string {
  const line = toFirstLine(name)
  if (line === undefined) return '(blank)'
  return isIdentifier(line) ? line : `"${toQuotable(line)}"`
}

/** What people take for the end of a quotation that `"` begins: by itself, or in a row. */
const LIKE_QUOTES = /[\u02BA\u02DD\u02EE\u05F4\u201C-\u201F\u2033\u2034\u2036\u2037\u2057\u275D\u275E\u3003\u301D-\u301F\uFF02]/g
const APOSTROPHES = /['\u00B4\u02B9-\u02BF\u2018-\u201B\u2032\u2035\uFF07]{2,}/g
/** More marks on one character than any script has: they reach into the lines above and below. */
const STACKED_MARKS = /(\p{M}{4})\p{M}+/gu

const foldQuotes = (text: string): string => text.replace(LIKE_QUOTES, "''").replace(APOSTROPHES, "'")

/** Foreign text, to be put between `"`: nothing in it looks like their end, or reaches out of its line. */
export const toQuotable = (text: string): string => foldQuotes(text.replaceAll('"', "''")).replace(STACKED_MARKS, '$1')

/**
 * What a reader's program could take for an address or markup: a scheme before what is no port and no version, unless our own doors
 * say it; a host before a path.
 */
const ADDRESS =
  /(?:^|[/:])(?!sha\d|(?:health|syncing|released|strategy|incident|value):)[a-z][a-z\d+.-]{0,64}:(?!v?\d[\w.-]{0,80}(?:$|\/))|^www\d?\.|^[\w-]+(?:\.[\w-]+){0,16}\.[a-z]{2,63}\/|^_.*_$/i

/** Whether a text of one line may stand bare in a sentence. */
export function isIdentifier(text: string): boolean {
  if (text.length > MAX_QUOTED_LENGTH) return false
  const shown = toPrintable(text.normalize('NFKC'))
  return IDENTIFIER.test(text) && IDENTIFIER.test(shown) && !isAddress(shown)
}

/** Whether a reader's program could take a name for an address or markup. */
export const isAddress = (name: string): boolean => ADDRESS.test(name) || KNOWN_SCHEME.test(name)

/** The first line that says anything, without what nobody sees: at most 80 characters and a mark that there were more. */
export function toFirstLine(text: string): string | undefined {
  const lines = text.slice(0, MAX_READ_LENGTH).split(LINE_END)
  const line = lines.map((each) => toPrintable(each).trim()).find(Boolean)
  if (line === undefined || line.length <= MAX_QUOTED_LENGTH) return line
  const chars = Array.from(line)
  return chars.length > MAX_QUOTED_LENGTH ? `${chars.slice(0, MAX_QUOTED_LENGTH).join('')}…` : line
}

/** Foreign text in a sentence of ours: bare when it is plainly a name, else in quotes; fit to be told. */
export function quoteSafely(text: string, maxLength: number): string {
  const safe = defang(text, maxLength)
  if (safe === '') return '(blank)'
  return isIdentifier(text) ? safe : `"${safe}"`
}

/** Control, format (bidirectional, zero-width), private-use and unassigned characters, and all that looks like a blank. */
const INVISIBLE = /[\p{C}\p{Z}\p{DI}\s\u2800]+/gu
/** What some reader of notes takes for markup. An underscore inside a word is none. */
const MARKUP = /[<>*`~|#\\&[\]]|(?<![\p{L}\p{N}])_|_(?![\p{L}\p{N}])/gu
/** From an ASCII character to its twin of full width, which looks like it and means nothing. */
const FULL_WIDTH_OFFSET = 0xfee0
/** What Slack and Discord draw a picture for, though not where the name is digits, as in times: https://docs.slack.dev/messaging/formatting-message-text */
const SHORTCODE = /:(?=((?!(?!100:|1234:)\p{N}+:)[\p{L}\p{M}\p{N}_'+-]+):)/gu
/** What Adaptive Cards put a date of the reader's in the place of. */
const TEMPLATE = /\{(?=\{)/g
const HTTP = /(?<![\p{L}\p{N}+.-])http(s?):(?=\/\/)/giu
const OTHER_SLASHES = /(?<!(?<![\p{L}\p{N}+.-])hxxps?):(?=\/\/)/giu
/** Schemes that need no slashes to become a link, and take numbers. */
const SCHEMES =
  'https?|mailto|tel|sms|smsto|mms|mmsto|data|javascript|vbscript|file|xmpp|magnet|blob|geo|sips?|facetime(?:-audio|-group)?|callto|skype|viber|fax|im|webcals?|zoommtg|zoomus|zoomphonecall|whatsapp|bitcoin'
const BARE_SCHEME = new RegExp(`\\b(${SCHEMES}):(?!//)`, 'gi')
const KNOWN_SCHEME = new RegExp(`\\b(?:${SCHEMES}):`, 'i')
/** Any other (RFC 3986) before something: not before a port or a time, nor the name of a hash. */
const OTHER_SCHEME = /(?<![\w+.-])(?!sha\d{1,3}:)([a-z][a-z0-9+.-]*):(?!\/\/)(?=\S)(?!\d{1,5}(?![\p{L}\p{N}]))/giu
const IP_ADDRESS = /\d{1,9}(?:\.\d{1,9}){3,}/g
/** The dots a host name may have: not those between digits. */
const HOST_DOT = /[.\u3002](?=[\p{L}\p{M}])|(?<=[\p{L}\p{M}-])[.\u3002](?=\p{N})/gu

/**
 * Foreign text, fit to be quoted: at most so many of its characters, on one line, without anything that a reader's
 * program could turn into a link, a mention or markup, or that people would not see.
 */
export function defang(text: string, maxLength: number): string {
  return toSafe(toQuotable(toCompatible(text, maxLength)), maxLength, text.length > 4 * maxLength)
}

/** A sentence of ours with foreign text in it, as `defang` has it: quotations in it stay, and end where it is cut. */
export function defangSentence(text: string, maxLength: number): string {
  const safe = toSafe(toCompatible(foldQuotes(text.slice(0, 4 * maxLength)), maxLength), maxLength, text.length > 4 * maxLength)
  return safe.split('"').length % 2 === 0 ? `${safe}"` : safe
}

/** The beginning of a text in compatibility form (NFKC), in which a character may be eighteen. */
const toCompatible = (text: string, maxLength: number): string =>
  text
    .slice(0, 4 * maxLength)
    .normalize('NFKC')
    .slice(0, 4 * maxLength + 1)

function toSafe(text: string, maxLength: number, isShortened: boolean): string {
  const shown = text.toWellFormed().replaceAll('@', ' at ').replace(INVISIBLE, ' ').trim()
  const characters = Array.from(shown)
  const isCut = characters.length > maxLength || isShortened
  const safe = characters
    .slice(0, maxLength)
    .join('')
    .trimEnd()
    .replace(STACKED_MARKS, '$1')
    .replace(MARKUP, toFullWidth)
    .replace(SHORTCODE, toFullWidth)
    .replace(TEMPLATE, '{ ')
    .replace(HTTP, 'hxxp$1:')
    .replace(OTHER_SLASHES, '(:)')
    .replace(BARE_SCHEME, '$1(:)')
    .replace(OTHER_SCHEME, '$1(:)')
    .replace(IP_ADDRESS, (address) => address.replaceAll('.', '[.]'))
    .replace(HOST_DOT, '[.]')
  return isCut ? `${safe}…` : safe
}

const toFullWidth = (character: string): string => String.fromCodePoint(character.charCodeAt(0) + FULL_WIDTH_OFFSET)

/** First strong isolate, and its end. */
const [ISOLATE, ISOLATE_END] = ['\u2068', '\u2069']
/** Blocks of scripts that are written from right to left: https://www.unicode.org/roadmaps/bmp */
const RIGHT_TO_LEFT = /[\u0590-\u08FF\uFB1D-\uFDFF\uFE70-\uFEFC\u{10800}-\u{10FFF}\u{1E800}-\u{1EFFF}]/u
/** What a sentence puts around a name that stands bare in it. */
const [OPENING, CLOSING] = ['(', ',.:;)']

/**
 * A line of ours with foreign names and quotations in it: each that is written from right to left is isolated, or what stands
 * beside it would change places (https://www.unicode.org/reports/tr9). Any other line has no character that nobody sees.
 */
export function isolate(line: string): string {
  if (!RIGHT_TO_LEFT.test(line)) return line
  return line
    .split('"')
    .map((part, place) => (place % 2 === 1 ? isolateText(part) : part.replace(/\S+/g, isolateName)))
    .join('"')
}

function isolateName(word: string): string {
  let [start, end] = [0, word.length]
  while (start < end && OPENING.includes(word.charAt(start))) start += 1
  while (end > start && CLOSING.includes(word.charAt(end - 1))) end -= 1
  return word.slice(0, start) + isolateText(word.slice(start, end)) + word.slice(end)
}

/** The same of a text that is foreign all of it. */
export const isolateText = (text: string): string => (RIGHT_TO_LEFT.test(text) ? `${ISOLATE}${text}${ISOLATE_END}` : text)

/** What a line needs at its end where it was cut within what is isolated. */
export const toIsolateEnd = (line: string): string => (line.lastIndexOf(ISOLATE) > line.lastIndexOf(ISOLATE_END) ? ISOLATE_END : '')

/** Whether a text is an address that browsers open as a page. */
export function isWebAddress(text: string): boolean {
  return /^https?:\/\//i.test(text) && URL.canParse(text)
}
