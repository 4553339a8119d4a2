import { matchesOf } from './matches.ts'
import { isSaid } from './said-words.ts'
import { createClassifier, isSecretValue, isStrong, type NameKind } from './secret-names.ts'

/** A stretch of a text, from its first character to the one after its last. */
export type Stretch = readonly [start: number, end: number]

const SEPARATOR = /[=:]|%3[ad]/gi
const NAME_CHARACTER = /[\p{L}\p{N}_.-]/u
const BEFORE_SEPARATOR = /[\p{L}\p{N}_\s"'`\];.%27*>?+|!~-]/u
const MAX_NAME = 64
const MAX_BLANKS = 8
const QUOTE = /\\{0,16}(?:[“”‘’«]|"""|'''|["'`]|&quot;|&#3[49];|%2[27])/iy
const CLOSING: Readonly<Record<string, string>> = { '“': '”', '‘': '’', '«': '»' }
/** What may stand between a separator and its value: `=>`, `:=`, `==`, blanks, the value's type, marks of Markdown and HTML. */
const BEFORE_VALUE =
  /(?:[=:>]{1,2}|(?:[^\S\n]|%20|\+){1,8}|\n\s{1,32}(?=["'])|\\[rnt]|string\(\d{1,6}\)|[!&][\w!-]{1,32}(?=[^\S\n])|ConvertTo-SecureString(?: {1,4}-String)?(?= )|\\\r?\n\s{0,32}|\(\s{0,8}(?=["'`])|\*{1,3}(?=[^\S\n])|<\/?(?:b|i|u|em|strong|code|span|tt|td|font)(?:\s[^<>]{0,64})?>){0,6}/iy
const SCHEME =
  /(?:bearer|basic|token|digest|negotiate|aws4-hmac-sha256|apikey|api-key|api-token|bot|oauth|ssws|splunk|geniekey|key|hawk)(?: |%20|\+){1,8}(?=\S)/iy
/** A value without quotes ends at a blank, or where the next pair begins. */
const BARE_VALUE =
  /(?:\$\{[^{}\s]{0,128}\}|[^\s"'`<>&,;|(){}[\]%\\]|[,;|](?![\s,;|]|$|[\w.-]{1,40}[=:])|["'](?=[\w!@#$%^*+-])|%(?!2[267c]|0[ad])|[({[](?=[^\s]{0,64}[)}\]])|[)}\]](?=[\w!@#$%^*+-])|\\\r?\n[^\S\n]{0,32}(?=[^\s-])|\\(?![nrt"'`\r\n])|&(?!quot;|#\d|[\w.-]{1,40}=)(?=\S))+/iy
const LINE = /(?:[^\n\r"]|(?<==)"[^"\n\r]*"?)+/y
const WHOLE_LINE_NAMES =
  /(?:^|[^a-z])(?:set-?cookie|cookie|proxy-?authorization|authorization|mnemonic|(?:seed|recovery|secret)[_ -]?phrase)$/i
const TOKEN_SCHEME = /^(?:bearer|basic|token|negotiate|api|bot|ssws|splunk|geniekey|key)/i

/** The name of a thing at AWS, in which a kind of things may be `secret`. */
const ARN = /\barn:[\w:-]{0,120}$/

/** Where secrets stand that a name before them gives away: `name=value`, JSON, YAML, headers, escaped or percent-encoded. */
export function findNamedSecrets(text: string): readonly Stretch[] {
  const found: Stretch[] = []
  const classify = createClassifier()
  let done = 0
  for (const { index, 0: separator } of matchesOf(text, SEPARATOR)) {
    if (index < done) continue
    const name = readNameBefore(text, index)
    const kind = name === '' ? 'none' : classify(name)
    if (kind === 'none' || (separator === ':' && ARN.test(text.slice(Math.max(0, index - 128), index)))) continue
    const stretch = readValue(text, index + separator.length, name, kind)
    if (!stretch) continue
    const changed = readChanged(text, stretch[1])
    found.push(stretch, ...changed)
    done = (changed[0] ?? stretch)[1]
  }
  return found
}

function readNameBefore(text: string, separatorAt: number): string {
  if (!BEFORE_SEPARATOR.test(text.charAt(separatorAt - 1))) return ''
  let end = separatorAt
  for (let blanks = 0; blanks < MAX_BLANKS && /\s/.test(text.charAt(end - 1)); blanks += 1) end -= 1
  if (ASSIGNS.test(text.slice(end - 1, separatorAt + 8))) end -= 1
  while (end > 0 && separatorAt - end < MAX_BLANKS && /\s/.test(text.charAt(end - 1))) end -= 1
  end = skipQuoteBefore(text, end)
  let start = end
  start = startOfWord(text, start)
  // `API key: …`
  if (/^(?:keys?|codes?|phrase|string)$/i.test(text.slice(start, end)) && text.charAt(start - 1) === ' ')
    start = startOfWord(text, start - 1)
  const name = text.slice(start, end)
  // A variable; `PASS: …` is how a test ends.
  return name === 'PASS' && text.charAt(separatorAt) === '=' ? 'pass' : name
}

/** `?=` of Make, and what else assigns or compares, before a text in quotes. */
const ASSIGNS = /^(?:\?=|[+|!~]=[^\S\n]{0,4}["'])/

function startOfWord(text: string, end: number): number {
  let start = end
  while (start > 0 && end - start < MAX_NAME && NAME_CHARACTER.test(text.charAt(start - 1))) start -= 1
  return start
}

/** A name may be quoted, its quotes escaped, and stand in brackets. */
function skipQuoteBefore(text: string, end: number): number {
  const before = text.slice(Math.max(0, end - 24), end)
  return (
    end -
    (/(?:\\{0,16}(?:["'`]|&quot;|&#3[49];|%2[27])|["']?\]|\*{1,3}|<\/(?:b|i|u|em|strong|code|span|tt|td|font)>)?$/i.exec(before)?.[0]
      .length ?? 0)
  )
}

/** The value that begins after a separator, if it is a secret of a name of this kind. */
export function readValue(text: string, from: number, name: string, kind: NameKind): Stretch | undefined {
  const below = readListed(text, from, kind) ?? (isStrong(kind) || kind === 'plural' ? readBelow(text, from, name, kind) : undefined)
  if (below) return below
  let start = from + lengthAt(BEFORE_VALUE, text, from)
  const quote = textAt(QUOTE, text, start)
  start += quote.length
  if (quote === '' && BRACKETED.test(text.slice(start, start + 258))) return readBracketed(text, start, kind)
  const isWholeLine = WHOLE_LINE_NAMES.test(name)
  const scheme = textAt(SCHEME, text, start)
  start += scheme.length
  const end =
    quote === '' || (scheme !== '' && TOKEN_SCHEME.test(scheme))
      ? endOfBare(text, start, isWholeLine && !TOKEN_SCHEME.test(scheme))
      : endOfParts(text, start, quote)
  const value = text.slice(start, end)
  const isProse = quote === '' && isSaid(value) && / \p{L}/uy.test(text.slice(end, end + 2)) && text.slice(from - 1, start) === ': '
  const isStatus = /^\d{1,3}$/.test(value) && !MAY_BE_SHORT.test(name)
  return isSecretValue(value, kind, quote !== '') && !isStatus && !isProse ? [start, end] : undefined
}

/** Several in brackets: `auth=("bob", "…")`. */
const LISTED = /[^\S\n]{0,8}\(\s{0,8}["'][^"'\n]{0,256}["']\s{0,4},[^()\n]{1,2048}(?=\))/y

function readListed(text: string, from: number, kind: NameKind): Stretch | undefined {
  const listed = textAt(LISTED, text, from)
  return listed !== '' && isSecretValue(listed, kind, true) ? [from + listed.indexOf('(') + 1, from + listed.length] : undefined
}

/** What stands in angle brackets, and is no element of XML. */
const ANGLED = /^<([^<>\s/]{1,256})>(?![^<>]{0,256}<\/)/
const OBJECT = /^\{\s{0,64}["'\w]/
const BRACKETED = new RegExp(`${ANGLED.source}|^\\[|${OBJECT.source}`)

/** A list's values, or what is in angle brackets; an object's are looked for by their own names. */
function readBracketed(text: string, start: number, kind: NameKind): Stretch | undefined {
  if (text.charAt(start) === '[') return readList(text, start + 1, kind)
  const [whole, angled] = ANGLED.exec(text.slice(start, start + 258)) ?? []
  return whole && angled && isSecretValue(whole, kind, true) ? [start + 1, start + 1 + angled.length] : undefined
}

/** A few digits after any other name count something, or are a status. */
const MAY_BE_SHORT = /pass(?:w\w{0,3}d|phrase|code)?s?[\W_]?\d{0,3}$|p?wd?$|pin|[cv]v[cv]/i

/** How a text in quotes goes on in the next ones. */
const GOES_ON =
  /["'`](?:[^\S\n]{0,8}(?:[+&\\]|\.\.?|\|\|)|(?=\s{0,32}\n[^\S\n]))\s{0,32}(?:[+&]\s{0,8})?(?=(["'`])(?![^\n"'`]{0,64}["'`]\s{0,4}:))/y

/** Where a value in quotes ends, with the parts that are joined to it. */
function endOfParts(text: string, start: number, quote: string): number {
  let end = endOfQuoted(text, start, CLOSING[quote] ?? quote)
  for (let parts = 0; parts < MAX_PARTS; parts += 1) {
    const between = lengthAt(GOES_ON, text, end)
    if (between === 0) break
    end = endOfQuoted(text, end + between + 1, text.charAt(end + between))
  }
  return end
}

const MAX_PARTS = 64

/** What stands between a value and the one that took its place. */
const CHANGED_TO =
  /\\{0,8}["'`]?[^\S\n]{0,8}(?:(?:->|=>|\u2192|to(?=[^\S\n]{1,4}["'`]))[^\S\n]{0,8}|,\s{0,8}\\{0,8}["']?(?:old|new|from|to|before|after|previous|current)(?:_?value)?\\{0,8}["']?\s{0,4}[:=])/iy

function readChanged(text: string, from: number): readonly Stretch[] {
  const between = lengthAt(CHANGED_TO, text, from)
  const stretch = between === 0 ? undefined : readValue(text, from + between, '', 'strong')
  return stretch ? [stretch] : []
}

const MAX_LIST = 2_048

/** `|` or `>` of YAML, and what may follow in that line. */
const BLOCK = /[^\S\n]{0,8}(?:[|>][-+\d]{0,3}[^\S\n]{0,8}(?:#[^\n]{0,64})?)?\r?\n(?=[^\S\n]|-)/y
/** The way to one word in a line of its own, no further in than its name. */
const NEXT_LINE = /[^\S\n]{0,8}\r?\n(?:[^\S\n]{0,8}\r?\n)?(?=[^\s=:[\]{}<>#"'|-][^\s=:]{3,255}[^\S\n]{0,8}(?:\r?\n|$))/y
/** What an object holds, and what in it looks like a secret and neither like a time nor a name in parts. */
const HELD = /[^\S\n]{0,8}\{[^{}]{1,2048}\}/y
const LEAF =
  /[:=]\s{0,8}\\{0,8}["']?(?=[^\s"'\d]{0,64}\d)(?=[^\s"'A-Za-z]{0,64}[A-Za-z])(?![0-9a-f]{7,128}["'\s,}])[^\s"',./:_{}\\-]{8,512}["'\s,}\\]/g
const BRACED = /[^\S\n]{0,8}\{(?=[^{}"'\n:]{1,128}\})/y
/** The way to what of an object is its value, past some others. */
const VALUE_WITHIN =
  /[^\S\n]{0,8}(?:\{|\r?\n(?=[^\S\n]))\s{0,64}(?:["']?[\w-]{1,40}["']?[^\S\n]{0,4}[:=][^\S\n]{0,4}["']?[^,{}\n"']{0,128}["']?[,;\n]\s{0,64}){0,4}?["']?(?:value|val|v|data|plain|plaintext|raw|content|string|text|current|new|old|default|from|to|before|after|previous)["']?[^\S\n]{0,4}[:=]/iy
const MAX_BLOCK = 16_384
const MAX_BLOCK_LINE = 256
/** A line that holds a value, or an item, and is neither prose nor an entry of a map. */
const ONE_WORD = /^\s*(?:- )?(?:"[^"\n]*"|'[^'\n]*'|[^\s"':]+(?::(?=\S)[^\s]*)?)[^\S\n]*(?:\n|$)/

/** A value that does not stand behind its name: in the lines below, in braces, in an object of which it is a part. */
function readBelow(text: string, from: number, name: string, kind: NameKind): Stretch | undefined {
  const within = lengthAt(VALUE_WITHIN, text, from)
  if (within > 0) return readValue(text, from + within, '', kind)
  const braced = lengthAt(BRACED, text, from)
  if (braced > 0) return [from + braced, text.indexOf('}', from + braced)]
  const held = textAt(HELD, text, from)
  if (held.search(LEAF) >= 0) return [from + held.indexOf('{') + 1, from + held.length - 1]
  const next = lengthAt(NEXT_LINE, text, from)
  if (next > 0) {
    const end = endOfBare(text, from + next, true)
    const word = text.slice(from + next, end).trimEnd()
    const isSecret = kind !== 'plural' && (/pass|pw/i.test(name) || /\d/.test(word)) && isSecretValue(word, kind, false)
    return isSecret ? [from + next, from + next + word.length] : undefined
  }
  const block = textAt(BLOCK, text, from)
  return block === '' ? undefined : readBlock(text, from + block.length, indentOf(text, text.lastIndexOf('\n', from - 1) + 1), block, kind)
}

/** The lines of a block, further in than the name is: those of a list or a text, not those of a map. */
function readBlock(text: string, start: number, indent: number, marker: string, kind: NameKind): Stretch | undefined {
  const isText = /[|>]/.test(marker)
  let end = start
  for (let at = start; at < text.length && at - start < MAX_BLOCK; at = lineAfter(text, at)) {
    const [line, depth] = [text.slice(at, at + MAX_BLOCK_LINE), indentOf(text, at)]
    const isItem = /^\s*- /.test(line)
    const isWithin = depth > indent || line.trim() === '' || (isItem && depth === indent)
    if (!isWithin || (!isText && !ONE_WORD.test(line))) break
    end = lineAfter(text, at)
  }
  const lines = text.slice(start, end).trimEnd()
  const items = lines.split('\n').map((line) => line.trim().replace(/^- |^["']|["']$/g, ''))
  const first = start + (/^\s*(?:- )?/.exec(lines)?.[0].length ?? 0)
  return items.some((item) => isSecretValue(item, kind, false)) ? [first, start + lines.length] : undefined
}

function indentOf(text: string, lineStart: number): number {
  let at = lineStart
  while (at - lineStart < MAX_NAME && (text.charAt(at) === ' ' || text.charAt(at) === '\t')) at += 1
  return at - lineStart
}

function lineAfter(text: string, at: number): number {
  const end = text.indexOf('\n', at)
  return end < 0 ? text.length : end + 1
}

/** All of a list, where anything in it is a secret. */
function readList(text: string, start: number, kind: NameKind): Stretch | undefined {
  const list = text.slice(start, start + MAX_LIST)
  const end = list.search(/[[\]]/)
  const length = end < 0 ? list.length : end
  const items = list.slice(0, length).split(/[\s,"'`\\]+/)
  return items.some((item) => isSecretValue(item, kind, isStrong(kind))) ? [start, start + length] : undefined
}

function endOfBare(text: string, start: number, isWholeLine: boolean): number {
  return start + lengthAt(isWholeLine ? LINE : BARE_VALUE, text, start)
}

/** Where the quote closes again, or the end of the text: a value that is cut is a secret, too. */
function endOfQuoted(text: string, start: number, quote: string): number {
  for (let at = text.indexOf(quote, start); at >= 0; at = text.indexOf(quote, at + 1)) {
    if (!isEscaped(text, at, quote)) return at
  }
  return text.length
}

/** In JSON within JSON a quote has backslashes of its own; one within the value has one more, of as many again. */
function isEscaped(text: string, at: number, quote: string): boolean {
  const own = quote.lastIndexOf('\\') + 2
  let backslashes = 0
  while (backslashes < 32 && text.charAt(at - 1 - backslashes) === '\\') backslashes += 1
  return Math.floor(backslashes / own) % 2 === 1
}

function textAt(pattern: RegExp, text: string, at: number): string {
  pattern.lastIndex = at
  return pattern.exec(text)?.[0] ?? ''
}

function lengthAt(pattern: RegExp, text: string, at: number): number {
  return textAt(pattern, text, at).length
}
