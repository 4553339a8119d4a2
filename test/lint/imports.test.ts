import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'

/** What lint finds in a project of these files, by file and rule. */
function lint(files: Readonly<Record<string, string>>): string[] {
  const folder = mkdtempSync(join(tmpdir(), 'noctuary-lint-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  cpSync('.biome.json', join(folder, '.biome.json'))
  cpSync('test/lint', join(folder, 'test/lint'), { recursive: true, filter: (path) => !path.endsWith('.ts') })
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(join(folder, dirname(path)), { recursive: true })
    writeFileSync(join(folder, path), text)
  }
  const command = ['lint', '--vcs-enabled=false', '--reporter=github', 'src']
  const { stdout } = spawnSync(resolve('node_modules/.bin/biome'), command, { cwd: folder, encoding: 'utf8' })
  return [...stdout.matchAll(/title=([\w/]+),file=[^,]*?(src\/[^,]+)/g)].map(
    ([, rule = '', file = '']) => `${file}: ${rule.replace(/^.*\//, '')}`,
  )
}

test('lint refuses an import against its direction, a type’s too, and one of a folder that has no row', () => {
  const ofHttp = (path: string) => `import type { A } from '${path}http/x.ts'\nexport type B = A\n`
  const found = lint({
    'src/http/x.ts': 'export type A = string\n',
    'src/domain/ids.ts': 'export type A = string\n',
    'src/store/declared.ts': ofHttp('../'),
    'src/store/down.ts': "import type { A } from '../domain/ids.ts'\nexport type B = A\n",
    'src/store/inline.ts': "export type B = import('../http/x.ts').A\n",
    'src/deps.ts': "export type B = typeof import('./http/x.ts')\n",
    'src/domain/event/handed-on.ts': "export type { A } from '../window/x.ts'\n",
    'src/domain/unlisted/x.ts': ofHttp('../../'),
    'src/domain/unlisted/clock.ts': 'export const now = () => Date.now()\n',
    'src/unlisted/x.ts': ofHttp('../'),
  })
  expect(found.toSorted()).toEqual([
    'src/deps.ts: plugin',
    'src/domain/event/handed-on.ts: noRestrictedImports',
    'src/domain/unlisted/clock.ts: plugin',
    'src/domain/unlisted/x.ts: noRestrictedImports',
    'src/store/declared.ts: noRestrictedImports',
    'src/store/inline.ts: plugin',
    'src/unlisted/x.ts: noRestrictedImports',
  ])
})

test('lint refuses a circle of types', () => {
  const found = lint({
    'src/domain/a.ts': "import type { B } from './b.ts'\nexport type A = { readonly b: B }\n",
    'src/domain/b.ts': "import type { A } from './a.ts'\nexport type B = { readonly a: A }\n",
  })
  expect(found.toSorted()).toEqual(['src/domain/a.ts: noImportCycles', 'src/domain/b.ts: noImportCycles'])
})
