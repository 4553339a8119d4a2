/** All matches of an expression. Most texts have none, and `matchAll` makes a copy of the expression before it looks. */
export function matchesOf(text: string, form: RegExp): readonly RegExpExecArray[] {
  return text.search(form) < 0 ? [] : Array.from(text.matchAll(form))
}
