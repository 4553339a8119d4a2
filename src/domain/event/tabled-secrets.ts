import { matchesOf } from './matches.ts'
import { readValue, type Stretch } from './named-secrets.ts'
import { classifyName, isSecretValue, isStrong, NAME_HINT } from './secret-names.ts'

/** Where secrets stand whose name is that of their column or row, or the name of the entry whose value they are. */
export function findTabledSecrets(text: string): readonly Stretch[] {
  return [...findEntryValues(text), ...findColumnValues(text)]
}

/** What names an entry of settings or of changes to them, and what its value, whichever comes first. */
const ENTRY_NAME =
  /(?:name|key|field|variable|attribute|property|param(?:eter)?|option|setting|path)\\{0,8}["']?\s{0,4}[:=]\s{0,4}\\{0,8}["']?((?:[\w.~[\]-]{0,64}\/){0,8})([\w.-]{1,64})/dgi
const ENTRY_VALUE =
  /(?:(?<![a-z])|parameter|old|new)(?:val(?:ue)?|from|to|old|new|before|after|previous|current|content)\\{0,8}["']?\s{0,4}[:=]/gi
const MAX_ENTRY = 1_024
const ENTRY_END = /[{}<>]|\n\s*-\s|\n\s*\n/g

function findEntryValues(text: string): readonly Stretch[] {
  const names = matchesOf(text, ENTRY_NAME)
  return names.flatMap(({ index, 0: whole, 1: path = '', 2: name = '' }, at) => {
    const kind = classifyName(name)
    if (!isStrong(kind)) return []
    const last = names[at - 1]
    const from = startOfEntry(text, Math.max(last ? last.index + last[0].length : 0, index - MAX_ENTRY), index)
    const to = endOfEntry(text, index + whole.length, Math.min(names[at + 1]?.index ?? text.length, index + MAX_ENTRY))
    return Array.from(text.slice(from, to).matchAll(ENTRY_VALUE)).flatMap((value): readonly Stretch[] => {
      const stretch = path === '' || /val/i.test(value[0]) ? readValue(text, from + value.index + value[0].length, '', kind) : undefined
      return stretch ? [stretch] : []
    })
  })
}

function startOfEntry(text: string, from: number, to: number): number {
  return from + Math.max(0, ...Array.from(text.slice(from, to).matchAll(ENTRY_END), ({ index }) => index))
}

function endOfEntry(text: string, from: number, to: number): number {
  let depth = 0
  for (const { index, 0: mark } of text.slice(from, to).matchAll(ENTRY_END)) {
    depth += mark === '{' ? 1 : -1
    if (depth < 0) return from + index
  }
  return to
}

/** What parts the cells of a line; what stands in quotes does not. */
const BLANK = /[^\S\n]{1,64}/g
const DELIMITERS = [/"[^"]*"|,/g, /"[^"]*"|;/g, /"[^"]*"|\t/g, /"[^"]*"|\|/g, /"[^"]*"|[^\S\n]{2,64}/g, BLANK]
const HEAD = /^[\p{L}\p{N}_ .#()-]{0,40}$/u
/** What else is the head of a column where blanks part them. */
const COLUMN =
  /^(?:#|id|no|user_?(?:name|id)?|login|account|e?-?mail|name|host(?:name)?|server|role|port|db|database|env|url|region|service|app|key)$/i
const RULE = /^[\s|:+=-]*$/
const MAX_LINE = 1_024

type Columns = { readonly delimiter: RegExp; readonly places: readonly number[]; readonly length: number; readonly isExact: boolean }

/** Cells of a table whose head names them so, and the second of two that stand apart. */
function findColumnValues(text: string): readonly Stretch[] {
  const found: Stretch[] = []
  let columns: Columns | undefined
  for (let start = 0; start < text.length; ) {
    const newline = text.indexOf('\n', start)
    const end = newline < 0 ? text.length : newline
    const line = text.slice(start, Math.min(end, start + MAX_LINE))
    const cells = columns && cellsOf(line, columns.delimiter)
    if (columns && cells && !RULE.test(line)) {
      const values = columns.places.flatMap((place) => cells.slice(place, place + 1))
      if (values.length < columns.places.length || (columns.isExact && cells.length !== columns.length)) {
        columns = undefined
        start = end + 1
        continue
      }
      found.push(...values.filter((cell) => isCellSecret(line.slice(...cell))).map(([from, to]): Stretch => [start + from, start + to]))
    }
    columns ??= readHead(line)
    start = end + 1
  }
  return found
}

const isCellSecret = (cell: string) => !/^\d{1,3}$/.test(cell) && isSecretValue(cell, 'strong', true)

function readHead(line: string): Columns | undefined {
  if (!NAME_HINT.test(line)) return undefined
  // A text in JSON begins after its name; a message after who tells it.
  const [told, quote] = /^(?:.*:\s{0,4}(["'])(?=[^"']*$)|[^"':]{0,256}:\s{1,4}(?=[^"':]*$))/.exec(line) ?? ['']
  const head = line.slice(told.length)
  for (const delimiter of DELIMITERS) {
    const cells = cellsOf(head, delimiter).map((cell) => head.slice(...cell))
    const places = cells.flatMap((cell, place) => (isStrong(classifyName(cell)) ? [place] : []))
    const isHead = places.length > 0 && cells.every((cell) => HEAD.test(cell))
    const isExact = delimiter === BLANK || (told !== '' && !quote)
    const isNamed = !isExact || cells.every((cell, place) => places.includes(place) || COLUMN.test(cell))
    if (cells.length > 1 && isHead && isNamed) return { delimiter, places, length: cells.length, isExact }
  }
  return undefined
}

/** Where the cells of a line stand, without what is around them. */
function cellsOf(line: string, delimiter: RegExp): readonly Stretch[] {
  const marks = Array.from(line.matchAll(delimiter)).filter(({ 0: mark }) => !mark.startsWith('"'))
  return [...marks.map(({ index }) => index), line.length].map((to, place): Stretch => {
    const mark = marks[place - 1]
    const from = mark ? mark.index + mark[0].length : 0
    const cell = line.slice(from, to)
    const within = cell.trim().replace(/^["']|["']\}?$/g, '')
    const start = from + cell.indexOf(within)
    return [start, start + within.length]
  })
}
