/** A text as it reads once it is decoded: the place of each of its characters, and of its end, in the text as it was. */
export type Unfolded = { readonly text: string; readonly places: readonly number[] }

/** What may stand for another character: percent-encoding, escapes of JSON, entities of HTML, and what is not ASCII. */
const ENCODED = /%[0-9a-f]{2}|\\u[0-9a-f]{4}|\\x[0-9a-f]{2}|&#?\w{2,8};|\\[nrt]|[^\0-\x7f]/i
/** The same at a glance. */
const MAY_BE_ENCODED = /[%\\&\x80-\uffff]/
const ENCODED_EACH =
  /((?:%[89a-f][0-9a-f]){2,4})|%([0-9a-f]{2})|\\u([0-9a-f]{4})|\\x([0-9a-f]{2})|&#x([0-9a-f]{1,6});|&#(\d{1,7});|&(equals|colon|quot|apos|amp|commat|lt|gt|nbsp|period);|\\([nrt])|([^\0-\x7f])/gi
const ENTITIES: Readonly<Record<string, string>> = {
  equals: '=',
  colon: ':',
  quot: '"',
  apos: "'",
  amp: '&',
  commat: '@',
  lt: '<',
  gt: '>',
  nbsp: ' ',
  period: '.',
}
/** Nobody sees them, and names stay the same to whoever reads. */
const INVISIBLE = /^\p{Default_Ignorable_Code_Point}$/u
/** What was encoded twice is decoded twice. */
const MAX_LAYERS = 3

/** Whether a text may read otherwise once it is decoded. */
export function mayBeUnfolded(text: string): boolean {
  return MAY_BE_ENCODED.test(text) && ENCODED.test(text)
}

/** Decodes what stands for another character, layer by layer. */
export function unfold(text: string): Unfolded {
  let unfolded: Unfolded = { text, places: Array.from({ length: text.length + 1 }, (_, place) => place) }
  for (let layer = 0; layer < MAX_LAYERS && mayBeUnfolded(unfolded.text); layer += 1) {
    const next = unfoldOnce(unfolded)
    if (next.text === unfolded.text) break
    unfolded = next
  }
  return unfolded
}

function unfoldOnce({ text, places }: Unfolded): Unfolded {
  const parts: string[] = []
  const kept: number[] = []
  let at = 0
  const keep = (part: string, from: number, isSame: boolean): void => {
    parts.push(part)
    for (let offset = 0; offset < part.length; offset += 1) kept.push(places[isSame ? from + offset : from] ?? 0)
  }
  for (const match of text.matchAll(ENCODED_EACH)) {
    keep(text.slice(at, match.index), at, true)
    keep(decode(match), match.index, false)
    at = match.index + match[0].length
  }
  keep(text.slice(at), at, true)
  kept.push(places[text.length] ?? 0)
  return { text: parts.join(''), places: kept }
}

function decode([whole, utf8, percent, unicode, hex, entityHex, entityDecimal, entity, blank, character]: RegExpExecArray): string {
  if (blank !== undefined) return blank.toLowerCase() === 't' ? '\t' : '\n'
  if (utf8 !== undefined) return decodeUtf8(utf8)
  if (character !== undefined) return INVISIBLE.test(character) ? '' : character.normalize('NFKC')
  if (entity !== undefined) return ENTITIES[entity.toLowerCase()] ?? whole
  const code = entityDecimal === undefined ? Number.parseInt(percent ?? unicode ?? hex ?? entityHex ?? '', 16) : Number(entityDecimal)
  return code >= 0x20 && (code < 0x7f || percent === undefined) && code < 0xd800 ? String.fromCharCode(code) : whole
}

function decodeUtf8(encoded: string): string {
  try {
    return decodeURIComponent(encoded)
  } catch {
    return encoded
  }
}
