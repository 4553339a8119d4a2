export const MAX_SHOWN_LENGTH = 1_024
const UNSTORABLE = /\0/g

/** The text with U+0000 and lone surrogates, which no store accepts, replaced by U+FFFD. */
export function toStorableText(text: string): string {
  return text.replace(UNSTORABLE, '\uFFFD').toWellFormed()
}

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

/** Control, format (bidirectional, zero-width), private-use and unassigned characters, and all that looks like a blank. */
const INVISIBLE = /[\p{C}\p{Z}\p{DI}\s\u2800]+/gu
/** What some reader of notes takes for markup. An underscore inside a word is none. */
const MARKUP = /[<>*`~|#\\&[\]]|(?<![\p{L}\p{N}])_|_(?![\p{L}\p{N}])/gu
/** From an ASCII character to its twin of full width, which looks like it and means nothing. */
const FULL_WIDTH_OFFSET = 0xfee0
const SCHEME = /([\p{L}\p{N}+.-]{0,64}):(?=\/\/)/gu
const HTTP = /^http(s?)$/i
/** Schemes that need no slashes to become a link, and take numbers. */
const BARE_SCHEME =
  /\b(https?|mailto|tel|sms|mms|data|javascript|vbscript|file|xmpp|magnet|blob|geo|sips?|facetime|facetime-audio|callto|fax|im|webcal|zoommtg|whatsapp):(?!\/\/)/gi
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
  const shown = text
    .slice(0, 4 * maxLength)
    .toWellFormed()
    .normalize('NFKC')
    .replaceAll('@', ' at ')
    .replace(INVISIBLE, ' ')
    .trim()
  const characters = Array.from(shown)
  const isCut = characters.length > maxLength || text.length > 4 * maxLength
  const safe = characters
    .slice(0, maxLength)
    .join('')
    .trimEnd()
    .replaceAll('"', "'")
    .replace(MARKUP, (character) => String.fromCodePoint(character.charCodeAt(0) + FULL_WIDTH_OFFSET))
    .replace(SCHEME, (_, scheme: string) => (HTTP.test(scheme) ? scheme.replace(HTTP, 'hxxp$1:') : `${scheme}(:)`))
    .replace(BARE_SCHEME, '$1(:)')
    .replace(OTHER_SCHEME, '$1(:)')
    .replace(IP_ADDRESS, (address) => address.replaceAll('.', '[.]'))
    .replace(HOST_DOT, '[.]')
  return isCut ? `${safe}…` : safe
}
