const HEX = /\b[0-9a-f]{6,}(?:-[0-9a-f]{4,})*\b/gi
const HEX_RUN = /[0-9a-f-]*/iy
const LAST_DIGIT = /\d\D*$/
const NUMBERS = /\d+(?:[.,]\d+)*/g
const MAX_VALUE_CLASS_LENGTH = 128

/** What tells an id from a word is a digit in it, or after it among more hex digits and hyphens. Each run of those is read once. */
function withoutIds(text: string): string {
  let [lastDigit, runEnd] = [-1, 0]
  return text.replace(HEX, (hex, at: number) => {
    if (at >= runEnd) {
      HEX_RUN.lastIndex = at
      const run = HEX_RUN.exec(text)?.[0] ?? ''
      lastDigit = at + run.search(LAST_DIGIT)
      runEnd = at + run.length
    }
    return lastDigit >= at ? '#' : hex
  })
}

/** A value without its numbers and ids, so that `slow_query:812ms` and `slow_query:4521.2ms` count as the same thing. */
export function toValueClass(value: string | null): string {
  if (value === null) return ''
  const shown = value.slice(0, 4 * MAX_VALUE_CLASS_LENGTH)
  const classified = withoutIds(shown).replace(NUMBERS, '#').slice(0, MAX_VALUE_CLASS_LENGTH)
  return classified.toWellFormed()
}
