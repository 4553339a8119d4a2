import { Marked, Renderer, type Tokens } from 'marked'

/** One page's source: `name` is its address under /docs, `text` its Markdown. */
export type ManualSource = { readonly name: string; readonly text: string }

/** One page as served. */
export type ManualPage = { readonly name: string; readonly path: string; readonly html: string }

type Heading = { readonly id: string; readonly text: string; readonly depth: number }
type Entry = { readonly name: string; readonly label: string }
type Parsed = {
  readonly source: ManualSource
  readonly content: string
  readonly headings: readonly Heading[]
  readonly links: readonly string[]
}

const INDEX = 'index'
const LIST_ITEM = /^- \[([^\]]+)\]\(([a-z-]+)\.md\)/gm
const OWN_LINK = /^(?:([a-z-]+)\.md)?(?:#(.+))?$/

/** The pages of the manual, made of Markdown without HTML. Throws on HTML, on a link that leads nowhere, on a page that the index does not list. */
export function renderManual(sources: readonly ManualSource[]): readonly ManualPage[] {
  const index = sources.find(({ name }) => name === INDEX)
  const entries = listPages(index?.text ?? '')
  const unlisted = sources.filter(({ name }) => name !== INDEX && !entries.some((entry) => entry.name === name))
  if (unlisted.length > 0) throw new Error(`${INDEX}.md does not list ${unlisted.map(({ name }) => name).join(', ')}`)

  const pages = sources.map(parsePage)
  for (const page of pages) checkLinks(page, pages)
  return pages.map((page) => ({ name: page.source.name, path: toPath(page.source.name), html: toDocument(page, entries) }))
}

/** What an assistant reads first: the text, and the index's list of pages as Markdown. */
export function renderForAssistants(text: string, index: string): string {
  const list = index.split('\n').filter((line) => line.startsWith('- ['))
  return `${text.trimEnd()}\n\n${list.join('\n').replaceAll(/\(([a-z-]+\.md)\)/g, '(/docs/$1)')}\n`
}

function listPages(index: string): readonly Entry[] {
  return [...index.matchAll(LIST_ITEM)].map(([, label = '', name = '']) => ({ name, label }))
}

function toPath(name: string): string {
  return name === INDEX ? '/docs' : `/docs/${name}`
}

function toSlug(text: string): string {
  return text
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
    .trim()
    .replaceAll(/\s+/g, '-')
}

/** Notes headings and links on the way; wide things scroll on their own, by keyboard, too. */
class ManualRenderer extends Renderer {
  readonly headings: Heading[] = []
  readonly links: string[] = []

  override heading({ tokens, depth, text }: Tokens.Heading): string {
    const id = toSlug(text)
    this.headings.push({ id, text: this.parser.parseInline(tokens), depth })
    return `<h${depth} id="${id}">${this.parser.parseInline(tokens)}</h${depth}>\n`
  }

  override table(token: Tokens.Table): string {
    return `<div class="scroll" role="group" aria-label="Table" tabindex="0">${super.table(token)}</div>\n`
  }

  override code(token: Tokens.Code): string {
    return super.code(token).replace('<pre>', '<pre class="code" tabindex="0">')
  }

  override link(token: Tokens.Link): string {
    this.links.push(token.href)
    return super.link({ ...token, href: toServedAddress(token.href) })
  }

  override html({ text }: Tokens.HTML | Tokens.Tag): string {
    throw new Error(`the manual takes no HTML: ${text}`)
  }
}

function toServedAddress(href: string): string {
  const [, name, anchor] = OWN_LINK.exec(href) ?? []
  return `${name === undefined ? href.replace(/#.*/, '') : toPath(name)}${anchor === undefined ? '' : `#${anchor}`}`
}

function parsePage(source: ManualSource): Parsed {
  const renderer = new ManualRenderer()
  const content = new Marked().parse(source.text, { async: false, renderer })
  const { headings, links } = renderer
  if (headings.filter(({ depth }) => depth === 1).length !== 1) throw new Error(`${source.name}.md needs one title`)
  return { source, content, headings, links }
}

function checkLinks({ source, links }: Parsed, pages: readonly Parsed[]): void {
  for (const href of links) {
    const [isOwn, name = source.name, anchor] = OWN_LINK.exec(href) ?? []
    const page = pages.find((one) => one.source.name === name)
    const leads = page && (anchor === undefined || page.headings.some(({ id }) => id === anchor))
    if (isOwn !== undefined && !leads) throw new Error(`${source.name}.md links to ${href}, which is nowhere`)
  }
}

const MARK =
  '<svg width="20" height="20" viewBox="0 0 20 20" aria-hidden="true"><path fill="currentColor" d="M13 2a8.3 8.3 0 1 0 5 11.8A7 7 0 0 1 13 2Z"/></svg>'

function toDocument({ source, content, headings }: Parsed, entries: readonly Entry[]): string {
  const title = headings.find(({ depth }) => depth === 1)?.text ?? ''
  const links = entries.map(
    ({ name, label }) => `<li><a href="${toPath(name)}"${name === source.name ? ' aria-current="page"' : ''}>${label}</a></li>`,
  )
  const sections = headings.filter(({ depth }) => depth === 2).map(({ id, text }) => `<li><a href="#${id}">${text}</a></li>`)
  const contents = sections.length < 3 ? '' : `<nav aria-label="On this page"><ul>${sections.join('')}</ul></nav>`
  return `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta name="color-scheme" content="light dark">
    <title>${title} · Noctuary</title>
    <link rel="icon" type="image/svg+xml" href="/docs/icon.svg">
    <link rel="stylesheet" href="/docs/manual.css">
    <link rel="alternate" type="text/markdown" href="/docs/${source.name}.md">
  </head>
  <body>
    <a class="skip" href="#main">Skip to content</a>
    <header class="bar"><div><a class="brand" href="/">${MARK}Noctuary</a></div></header>
    <main id="main" tabindex="-1" class="manual">
      <nav aria-label="Manual">
        <ul>
          <li><a href="/docs"${source.name === INDEX ? ' aria-current="page"' : ''}>Manual</a></li>
          ${links.join('\n          ')}
          <li><a href="/docs/api">API</a></li>
        </ul>
      </nav>
      <article>
        ${content.replace('</h1>\n', `</h1>\n${contents}`)}
      </article>
    </main>
    <footer class="foot"><a href="/docs/${source.name}.md">This page as Markdown</a></footer>
  </body>
</html>
`
}

/** What the manual adds to the stylesheet of all pages. */
export const MANUAL_STYLE = /* css */ `
.manual { display: grid; align-items: start; gap: 1.5rem 3rem; grid-template-columns: 10rem minmax(0, 48rem); }
.manual > nav ul { display: grid; gap: .125rem; }
.manual > nav a { display: block; padding: .25rem .5rem; margin-left: -.5rem; border-radius: 6px; color: var(--soft); text-decoration: none; }
.manual > nav a:hover, .manual > nav a[aria-current] { background: var(--fill); color: var(--ink); }
.manual > nav a[aria-current] { font-weight: 600; }
@media (max-width: 50rem) {
  .manual { grid-template-columns: minmax(0, 1fr); }
  .manual > nav ul { display: flex; flex-wrap: wrap; gap: 0 .5rem; }
}
.manual article > * + * { margin-top: .75rem; }
.manual article > h2 { margin-top: 2rem; }
.manual article > h3 { margin-top: 1.25rem; }
.manual article > nav ul { display: flex; flex-wrap: wrap; gap: 0 1rem; padding: 0; list-style: none; font-size: var(--small); }
.manual article ul, .manual article ol { padding-left: 1.5rem; display: grid; gap: .375rem; }
.manual article ul { list-style: disc; }
.manual article ol { list-style: decimal; }
.manual pre.code { white-space: pre; overflow-x: auto; font-size: .8125rem; line-height: 1.5; }
.manual td > code, .manual th > code { overflow-wrap: break-word; }
.manual table { min-width: 32rem; }
`
