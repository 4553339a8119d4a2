import { existsSync } from 'node:fs'
import { expect, test } from 'vitest'
import { MANUAL_STYLE, renderForAssistants, renderManual } from '../../src/commands/manual.ts'
import { keys } from '../../src/store/redis.ts'
import { listOperations, readApiDocument } from '../support/api-document.ts'
import { firstColumn, MANUAL, readProjectFile, readProjectFiles } from '../support/manual.ts'

const page = (name: string): string => MANUAL.get(name) ?? ''
const codeIn = (text: string): string[] => [...text.matchAll(/`([^`\n]+)`/g)].map(([, code = '']) => code)

const SOURCES = [...MANUAL].map(([name, text]) => ({ name, text }))
const INDEX = '# Manual\n\n- [One](one.md): the first\n'

test('operate has a row for each setting, and none that is gone', () => {
  const bindings = [...readProjectFile('src/config.ts').matchAll(/^ {2}readonly ([A-Z][A-Z_]+)\?:/gm)].map(([, name = '']) => name)
  const configured = [...readProjectFile('wrangler.toml').matchAll(/^(?:# )?(?:binding|name) = "([A-Z][A-Z_]*)"|^([A-Z][A-Z_]+) = /gm)]
  const ofCommands = readProjectFiles('{src/commands,test/stack}/*.ts').flatMap(({ text }) => [
    ...text.matchAll(/process\.env\['([A-Z_]+)'\]/g),
  ])
  const known = new Set([...bindings, ...[...configured, ...ofCommands].map(([, one, other]) => one ?? other ?? '')])
  // What a command tells the processes that it starts is nobody's to set.
  for (const name of ['PATH', 'NOCTUARY_STARTER']) known.delete(name)
  expect(known.size).toBeGreaterThan(25)

  const settings = codeIn(page('operate').split('## Costs')[0] ?? '').map((code) => code.replace(/=.*/, ''))
  expect([...known].filter((name) => !settings.includes(name))).toEqual([])
  expect(settings.filter((name) => /^[A-Z][A-Z_]{3,}$/.test(name) && !known.has(name))).toEqual([])
})

test('operate has a row for each log event, and none that is gone', () => {
  const emitted = readProjectFiles('src/**/*.{ts,tsx}').flatMap(({ text }) =>
    [...text.matchAll(/\b(?:log|attempt)\(\s*(?:deps, )?'([a-z_]+)'/g)].map(([, event = '']) => event),
  )
  expect(emitted.length).toBeGreaterThan(20)
  const rows = firstColumn(page('operate').split('## Log events')[1] ?? '')
  expect(rows.toSorted()).toEqual([...new Set(emitted)].toSorted())
})

test('storage has a row for each table, Redis key and function, and no table that is gone', () => {
  const [tables = '', rest = ''] = page('storage').split('## Redis keys')
  const declared = readProjectFiles('src/store/schema/*.ts').flatMap(({ text }) =>
    [...text.matchAll(/\bpgTable\(\s*'([a-z_]+)'/g)].map(([, name = '']) => name),
  )
  expect(firstColumn(tables).toSorted()).toEqual([...declared, 'causal_patterns'].toSorted())

  const patterns = Object.values(keys).map((key) =>
    typeof key === 'string'
      ? key
      : Reflect.apply(
          key,
          undefined,
          Array.from({ length: key.length }, () => '*'),
        ),
  )
  expect(patterns.filter((pattern) => !rest.includes(`\`${pattern}\``))).toEqual([])

  const functions = readProjectFiles('drizzle/functions/*.sql').map(({ path }) => path.replace(/^.*\/|\.sql$/g, ''))
  expect(functions.length).toBeGreaterThan(5)
  expect(functions.filter((name) => !codeIn(rest).includes(name))).toEqual([])
})

test('vocabulary has the words that code and pages use', () => {
  const words = page('vocabulary')
    .split('\n')
    .flatMap((line) => /^\| ([a-z][\w ,-]*) \|/i.exec(line)?.[1]?.split(', ') ?? [])
  const needed = 'change life occurrence entry copy merge repair horizon look finding answer verdict lease door signal receiver'.split(' ')
  expect(needed.filter((word) => !words.includes(word))).toEqual([])
})

test('the README fits in 8 kB, and what it links to is there', () => {
  const readme = readProjectFile('README.md')
  expect(Buffer.byteLength(readme)).toBeLessThanOrEqual(8_192)
  const links = [...readme.matchAll(/\]\(([^)#]+)(?:#[\w-]+)?\)/g)].map(([, path = '']) => path)
  expect(links.length).toBeGreaterThan(10)
  for (const link of links) expect(readProjectFile(link).length).toBeGreaterThan(0)
  const unlinked = [...MANUAL.keys()].filter((name) => name !== 'index' && !links.includes(`src/docs/${name}.md`))
  expect(unlinked).toEqual([])
})

test('the README lists every operation of the API, and none that is gone', () => {
  const [, table = ''] = readProjectFile('README.md').split('\n## API\n')
  const listed = [...(table.split('\n## ')[0]?.matchAll(/^\| (`.*?`) \| /gm) ?? [])].flatMap(([, cell = '']) =>
    cell
      .replaceAll('`', '')
      .split(' · ')
      .flatMap((text) => {
        const [path = '', ...methods] = text.split(/,? /).toReversed()
        return methods.map((method) => `${method} ${path}`)
      }),
  )
  // Each sender has the same two; Grafana may PUT, too.
  const toListed = (method: string, path: string) =>
    path.startsWith('/in/') ? `POST ${path.replace(/^\/in\/[^/]+/, '/in/{sender}')}` : `${method} ${path}`
  const described = new Set(listOperations(readApiDocument()).map(({ method, path }) => toListed(method, path)))
  expect(listed.filter((one) => one !== 'GET /openapi.json').toSorted()).toEqual([...described].toSorted())
})

test('the files that pages name are there', () => {
  const texts = readProjectFiles('{README.md,.github/*.md,src/docs/*.md}')
  const named = texts.flatMap(({ text }) => codeIn(text).filter((code) => /^(?:src|test|drizzle|\.github|\.ci)\/[\w./-]+$/.test(code)))
  expect(named.length).toBeGreaterThan(20)
  // `x` stands for a new one's name.
  expect(named.filter((path) => !existsSync(path) && !/\/x\.\w+$/.test(path))).toEqual([])
})

test('every page is made, with its title, its place in the list and no script or style of its own', () => {
  const pages = renderManual(SOURCES)
  expect(pages.map(({ name }) => name).toSorted()).toEqual([...MANUAL.keys()].toSorted())
  for (const { name, path, html } of pages) {
    expect([name, html.match(/<h1 /g)?.length, html.match(/aria-current="page"/g)?.length]).toEqual([name, 1, 1])
    expect(html).not.toMatch(/<script|<style|\bstyle=|\bon\w+=|(?:src|href)="https?:/)
    for (const other of pages) expect(html).toContain(`href="${other.path}"`)
    expect(path).toMatch(/^\/docs(?:\/[a-z-]+)?$/)
  }
  expect(MANUAL_STYLE).not.toMatch(/url\(|@import/)
})

test.each([
  ['HTML', 'a <b>bold</b> word', 'takes no HTML'],
  ['a script', '<script>alert(1)</script>', 'takes no HTML'],
  ['a link to a page that is not there', '[two](two.md)', 'nowhere'],
  ['a link to a section that is not there', '[two](one.md#two)', 'nowhere'],
  ['a second title', '# Two', 'needs one title'],
])('%s ends the build', (_, text, complaint) => {
  const render = () =>
    renderManual([
      { name: 'index', text: INDEX },
      { name: 'one', text: `# One\n\n${text}\n` },
    ])
  expect(render).toThrow(complaint)
})

test('a page that the index does not list ends the build', () => {
  const sources = [{ name: 'index', text: INDEX }, ...['one', 'two'].map((name) => ({ name, text: `# ${name}\n` }))]
  expect(() => renderManual(sources)).toThrow('does not list two')
})

test('links to pages lead to where they are served, text of code is text', () => {
  const text = '# One\n\n[self](one.md#part) [index](index.md) [API](/docs/api) [out](https://example.com/)\n\n## Part\n\n`<i>`\n'
  const html =
    renderManual([
      { name: 'index', text: INDEX },
      { name: 'one', text },
    ])[1]?.html ?? ''
  for (const href of ['/docs/one#part', '/docs', '/docs/api', 'https://example.com/']) expect(html).toContain(`<a href="${href}">`)
  expect(html).toContain('<code>&lt;i&gt;</code>')
})

test('assistants are told of every page', () => {
  const text = renderForAssistants('# Title\n', page('index'))
  expect(text).toMatch(/^# Title\n\n- \[/)
  for (const name of MANUAL.keys()) if (name !== 'index') expect(text).toContain(`(/docs/${name}.md)`)
})
