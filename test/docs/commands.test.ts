import { execFile } from 'node:child_process'
import { tmpdir } from 'node:os'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { EVENT_TYPES } from '../../src/domain/event/event.ts'
import { parseEvent } from '../../src/domain/event/parse.ts'
import { createTestTenant } from '../support/app.ts'
import { codeBlocks, MANUAL, readProjectFile } from '../support/manual.ts'
import { serveSite, startSite } from '../support/site.ts'

const site = startSite()
let url: string
let stop: () => void

beforeAll(async () => {
  ;({ url, stop } = await serveSite(site))
})
afterAll(() => stop())

/** Every curl fails with its answer when it is refused. */
const STRICT = 'set -euo pipefail\ncurl() { command curl -sS --fail-with-body "$@"; echo; }\n'

test.each([...MANUAL].filter(([, text]) => codeBlocks(text, 'sh').length > 0))('the commands of %s work when pasted', async (_, text) => {
  const { ingestKey, readonlyKey } = await createTestTenant(site.app)
  const script = STRICT + codeBlocks(text, 'sh').join('\n')
  const env = { PATH: process.env['PATH'], URL: url, INGEST: ingestKey, READ: readonlyKey }
  const { stdout } = await promisify(execFile)('bash', ['-c', script], { env })
  expect(stdout).not.toContain('"status":"rejected"')
  await site.settle()
})

test('what the README says to paste tells in one line that npm run dev is not ready', async () => {
  const line = /^eval .*$/m.exec(codeBlocks(readProjectFile('README.md'), 'sh').join('\n'))?.[0] ?? ''
  const { stdout, stderr } = await promisify(execFile)('bash', ['-c', line], { cwd: tmpdir() })
  expect([stdout, stderr.trim()]).toEqual(['', expect.stringMatching(/^.*npm run dev.*$/)])
})

test('events has an example of each type, and each is an event', () => {
  const examples = codeBlocks(MANUAL.get('events') ?? '', 'json').map((code) => parseEvent(JSON.parse(code)))
  expect(examples.filter(({ ok }) => !ok)).toEqual([])
  const types = examples.flatMap((parsed) => (parsed.ok ? [parsed.event.eventType] : []))
  expect(types.toSorted()).toEqual([...EVENT_TYPES].toSorted())
})

test('every npm script that is named exists, and every script that people run is named', () => {
  const { scripts } = JSON.parse(readProjectFile('package.json')) as { readonly scripts: Readonly<Record<string, string>> }
  const texts = [...MANUAL.values(), readProjectFile('README.md'), readProjectFile('.github/CONTRIBUTING.md')].join('\n')
  const named = new Set([...texts.matchAll(/\bnpm run (?:-s )?([\w:-]+)/g)].map(([, name = '']) => name))
  expect([...named].filter((name) => !(name in scripts))).toEqual([])
  expect(Object.keys(scripts).filter((name) => !named.has(name) && name !== 'test')).toEqual([])
})
