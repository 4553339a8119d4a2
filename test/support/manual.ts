import { globSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))

/** A file of the project, as text. */
export function readProjectFile(path: string): string {
  return readFileSync(`${ROOT}${path}`, 'utf8')
}

/** The project's files that match, with their text. */
export function readProjectFiles(pattern: string): readonly { readonly path: string; readonly text: string }[] {
  return globSync(pattern, { cwd: ROOT }).map((path) => ({ path, text: readProjectFile(path) }))
}

/** The Markdown pages of the manual by name. */
export const MANUAL: ReadonlyMap<string, string> = new Map(
  readProjectFiles('src/docs/*.md').map(({ path, text }) => [path.replace(/^.*\/|\.md$/g, ''), text]),
)

/** The code blocks of one language on a page. */
export function codeBlocks(page: string, language: string): readonly string[] {
  return [...page.matchAll(/^```(\w*)\n(.*?)^```$/gms)].flatMap(([, name, code = '']) => (name === language ? [code] : []))
}

/** What a page's tables have in code in their first column. */
export function firstColumn(page: string): readonly string[] {
  const cells = page.split('\n').flatMap((line) => /^\| ([^|]*) \|/.exec(line)?.[1] ?? [])
  return cells.flatMap((cell) => [...cell.matchAll(/`([^`]+)`/g)].map(([, code = '']) => code))
}
