import { beforeAll, expect, test } from 'vitest'
import { openShop, type Shop } from '../support/shop.ts'
import { signIn, startSite, type Visitor } from '../support/site.ts'

const site = startSite()
let shop: Shop
let visitor: Visitor
let path: string

type Row = { readonly place: number; readonly kind: string; readonly service: string; readonly text: string }

async function readRows(query = ''): Promise<{ readonly rows: readonly Row[]; readonly html: string }> {
  const html = await (await visitor.get(`${path}${query}`)).text()
  const table = html.slice(html.indexOf('<table class="fold feed"'))
  const rows = [...table.slice(0, table.indexOf('</table>')).matchAll(/<tr id="e(\d+)".*?<\/tr>/gs)].map(([row, place]) => {
    const text = row.replaceAll(/<[^>]*>/g, ' ')
    return {
      place: Number(place),
      kind: /<\/svg>.([a-z ]+)/s.exec(row)?.[1]?.trim() ?? '',
      service: /scope="row"><bdi>([^<]*)/.exec(row)?.[1] ?? '',
      text,
    }
  })
  return { rows, html }
}

beforeAll(async () => {
  shop = await openShop(site.app)
  visitor = await signIn(site, shop.tenant.readonlyKey)
  const listed: { id: string; service: string }[] = await (await site.app.request('/v1/incidents', { key: shop.tenant.readonlyKey })).json()
  path = `/incidents/${listed.find(({ service }) => service === 'checkout')?.id}`
})

test('at first the steps to the alert are shown, in their order, and the rest is one step away', async () => {
  const { rows, html } = await readRows()
  expect(rows).toHaveLength(8)
  expect(rows.map(({ text }) => /step (\d+)/.exec(text)?.[1])).toEqual(['1', '1', '2', '3', '4', '5', '6', '7'])
  expect(html).toMatch(/<a href="[^"]*\?events=1#evidence">\d+ events, newest first/)
})

test.each([
  { query: '?service=PAY&events=1', holds: ({ service }: Row) => service.includes('pay') },
  { query: '?kind=deploy&events=1', holds: ({ kind }: Row) => kind === 'deploy' },
  { query: '?text=oomkilled&events=1', holds: ({ text }: Row) => /oomkilled/i.test(text) },
  {
    query: '?service=payment&kind=restart&text=probe&events=1',
    holds: ({ kind, service, text }: Row) => kind === 'restart' && service === 'payment-service' && text.includes('probe'),
  },
])('$query shows those, and those alone', async ({ query, holds }) => {
  const { rows } = await readRows(query)
  expect(rows.length).toBeGreaterThan(0)
  expect(rows.filter((row) => !holds(row))).toEqual([])
})

test('a page on, there are others; what does not match is said; what is no page is the first', async () => {
  const places = async (query: string) => (await readRows(query)).rows.map(({ place }) => place)
  const [first, second] = [await places('?events=1'), await places('?events=2')]
  expect(first.filter((place) => second.includes(place))).toEqual([])
  expect(first).toEqual(first.toSorted((a, b) => b - a))
  for (const query of ['?events=0', '?events=-1', '?events=x&kind=nothing']) expect((await places(query)).length).toBeGreaterThan(0)
  expect((await readRows('?text=of-nobody&events=1')).html).toContain('No event matches')
})

test('an event is opened on its page, with its fields', async () => {
  const { rows, html } = await readRows('?event=3')
  expect(rows.some(({ place }) => place === 3)).toBe(true)
  expect(html.slice(html.indexOf('id="e3"'))).toMatch(/^id="e3".*?<details class="more" open="">/s)
  expect(html.match(/<details class="more" open/g)).toHaveLength(1)
})
