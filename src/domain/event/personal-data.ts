import { matchesOf } from './matches.ts'
import type { Stretch } from './named-secrets.ts'
import { looksLikeKey, looksRandom } from './secret-names.ts'

const AT = /@|%40/gi
const LOCAL_CHARACTER = /[\p{L}\p{N}.!#$&'*+/=?^_`{|}~-]/u
const MAX_LOCAL = 64
/** RFC 1035: labels of 63 characters; a top-level domain has letters. */
const DOMAIN = /(?:[\p{L}\p{N}](?:[\p{L}\p{N}-]{0,62})\.){1,10}([\p{L}][\p{L}\p{N}-]{1,23})/uy
/** Units of systemd look like domains, and `git@` is a program's name. */
const UNIT = /^(?:service|scope|socket|timer|slice|mount|target|device|path|swap|automount)$/i
const PROGRAMS = /^(?:git|hg|svn)$/i

/** Where the local parts of e-mail addresses stand: what is personal of them. */
export function findMailAddresses(text: string): readonly Stretch[] {
  const found: Stretch[] = []
  for (const { index, 0: at } of matchesOf(text, AT)) {
    DOMAIN.lastIndex = index + at.length
    const topLevel = DOMAIN.exec(text)?.[1]
    if (topLevel === undefined || UNIT.test(topLevel)) continue
    const start = startOfLocal(text, index)
    const local = text.slice(start, index)
    if (local === '' || PROGRAMS.test(local)) continue
    found.push([start, index])
  }
  return found
}

function startOfLocal(text: string, end: number): number {
  const quoted = /"[^"@]{1,64}"$/.exec(text.slice(Math.max(0, end - MAX_LOCAL - 2), end))
  if (quoted) return end - quoted[0].length
  let start = end
  while (start > 0 && end - start < MAX_LOCAL && LOCAL_CHARACTER.test(text.charAt(start - 1))) start -= 1
  const before = text.slice(start, end)
  // What a path, a query or an assignment puts before an address is no part of it.
  return (
    start +
    Math.max(before.lastIndexOf('/'), before.lastIndexOf('='), before.lastIndexOf('?'), before.lastIndexOf('&'), before.lastIndexOf("'")) +
    1
  )
}

const MAX_AUTHORITY = 2_048
const END_OF_URL = /[\s"'`<>\\]|:\/\//
const SCHEMELESS =
  /(?<![\w.:/@-])([\w.+-]{1,64}):([^\s:@/"'`<>]{1,128})@(?!sha\d)(?=(?:tcp|udp|unix)?\(|[\w.-]{1,128}(?::[\d/~]|\/|$|[\s"',;)]))/dg

/** A name and what is no port, where a text is cut. */
const CUT = /:\/\/[^\s/@:?#"'<>[\]{}$]{1,64}:((?!\d{1,5}(?:\D|$))[^\s/@:"'<>{}$…]{2,128})(?=["')\]}]{0,4}$|…)/d

/** Where credentials stand before a host: `scheme://user:password@host`, and as drivers write it without a scheme. */
export function findUrlCredentials(text: string): readonly Stretch[] {
  const cut = CUT.exec(text)?.indices?.[1]
  if (!text.includes('@')) return cut ? [cut] : []
  const found: Stretch[] = []
  for (let at = text.indexOf('://'); at >= 0; at = text.indexOf('://', at + 3)) {
    const start = at + 3
    const rest = text.slice(start, start + MAX_AUTHORITY)
    const length = rest.search(END_OF_URL)
    const stretch = findPassword(length < 0 ? rest : rest.slice(0, length))
    if (stretch) found.push([start + stretch[0], start + stretch[1]])
  }
  const bare = matchesOf(text, SCHEMELESS).flatMap((match): Stretch[] => {
    const stretch = match.indices?.[2]
    return stretch ? [stretch] : []
  })
  return [...found, ...bare, ...(cut ? [cut] : [])]
}

/** A password may hold what should have been encoded; a port before a path with an `@` is none. */
function findPassword(url: string): Stretch | undefined {
  const authority = url.search(/[/?#]/)
  const end = (authority < 0 ? url : url.slice(0, authority)).lastIndexOf('@')
  const colon = url.indexOf(':')
  // A token alone takes the place of a name.
  if (end >= 0 && (colon < 0 || colon > end)) return isToken(url.slice(0, end)) ? [0, end] : undefined
  if (end >= 0) return [colon + 1, end]
  const last = url.lastIndexOf('@')
  if (colon < 0 || last < colon || (authority >= 0 && colon > authority)) return undefined
  return /^:\d{1,5}[/?#]/.test(url.slice(colon)) ? undefined : [colon + 1, last]
}

const isToken = (name: string) => looksLikeKey(name) || looksRandom(name)

/** Digits, perhaps in groups, that are no part of a longer word, number or name. */
const DIGITS = /(?<![\w.-])(?:\d(?:[ -]?\d){12,18}|\d{4}(?:\.\d{4}){3})(?![\w-]|\.\d)/g
/** ISO/IEC 7812: the first digits of the networks, and how long their numbers are. */
const NETWORKS =
  /^(?:4\d{12}(?:\d{3}){0,2}|5[1-5]\d{14}|2(?:22[1-9]|2[3-9]\d|[3-6]\d\d|7[01]\d|720)\d{12}|3[47]\d{13}|3(?:0[0-5]|[68]\d)\d{11}|6(?:011|5\d\d|4[4-9]\d)\d{12}|(?:2131|1800)\d{11}|35\d{14}|62\d{14,17}|6(?:304|759|76[123])\d{8,15}|5(?:018|020|038|893)\d{8,15})$/

/** Where card numbers stand, by network and check digit (ISO/IEC 7812-1). A number that is the whole text is none. */
export function findCardNumbers(text: string): readonly Stretch[] {
  if (/^\s*\d+\s*$/.test(text)) return []
  return matchesOf(text, DIGITS).flatMap(({ index, 0: written }): Stretch[] => {
    const digits = written.replace(/[ .-]/g, '')
    return NETWORKS.test(digits) && isLuhn(digits) ? [[index, index + written.length]] : []
  })
}

function isLuhn(digits: string): boolean {
  const sum = Array.from(digits).reduceRight((total, digit, place) => {
    const value = Number(digit) * ((digits.length - place) % 2 === 0 ? 2 : 1)
    return total + (value > 9 ? value - 9 : value)
  }, 0)
  return sum % 10 === 0
}
