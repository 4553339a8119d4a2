import { spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync, mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const PREFLIGHT = fileURLToPath(new URL('../stack/preflight.cjs', import.meta.url))

test.each([
  { name: 'before npm ci', folders: [], node: process.versions.node, says: /^nothing is installed yet: run "npm ci" first\n$/, status: 1 },
  { name: 'an old Node', folders: ['node_modules'], node: '20.20.2', says: /^this is Node 20\.20\.2.*npm ci.*\n$/, status: 1 },
  { name: 'all there', folders: ['node_modules'], node: '22.18.0', says: /^$/, status: 0 },
])('a command says in one line what is missing: $name', ({ folders, node, says, status }) => {
  const folder = mkdtempSync(join(tmpdir(), 'noctuary-preflight-'))
  for (const each of ['test/stack', ...folders]) mkdirSync(join(folder, each), { recursive: true })
  const copy = join(folder, 'test/stack/preflight.cjs')
  copyFileSync(PREFLIGHT, copy)
  const script = `Object.defineProperty(process.versions, 'node', { value: ${JSON.stringify(node)} }); require(${JSON.stringify(copy)})`

  const run = spawnSync(process.execPath, ['-e', script], { encoding: 'utf8' })

  expect(run.stderr).toMatch(says)
  expect(run.status).toBe(status)
})

test('a reader that has seen enough ends a command without a word', () => {
  const script = `setInterval(() => console.log('x'.repeat(100_000)), 10)`
  const { stdout, stderr } = spawnSync(
    'bash',
    ['-c', `"$1" --require "$2" -e "$3" | head -c 10; echo " \${PIPESTATUS[0]}"`, 'x', process.execPath, PREFLIGHT, script],
    {
      encoding: 'utf8',
    },
  )
  expect([stdout, stderr]).toEqual(['xxxxxxxxxx 141\n', ''])
})
