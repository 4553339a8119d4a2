import { defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

/**
 * What has a command of its own, `npm run test:…`: what needs a Chromium or senders' own programs, and what takes minutes, such
 * as processes that are started again and again. The latter has files of the everyday suite with it, which then leave nothing out.
 */
const APART: Readonly<Record<string, readonly string[]>> = {
  browser: ['test/browser/*.test.ts'],
  clients: ['test/clients/*.test.ts'],
  long: ['test/long/*.test.ts', 'test/http/{fuzz,incident-work,receivers,follow-up-deaths}.test.ts'],
}
const apart = APART[process.env['NOCTUARY_TESTS'] ?? '']

/**
 * The longest first, in the order of what they take: what starts processes, computes or waits takes longer than a file's size says,
 * which is all that is known in a fresh checkout.
 */
const LONG = [
  'http/receivers',
  'store/sweep',
  'http/fuzz',
  'http/faults',
  'lint/expressions',
  'worker/dev',
  'http/follow-ups',
  'http/doors',
  'http/known-windows',
  'http/late-copies',
  'dashboard/pages',
  'usecases/outages',
  'domain/receivers/receivers',
  'store/races',
  'http/windows',
  'http/incident-work',
  'http/follow-up-deaths',
  'http/dependencies',
  'commands/db-migrate',
  'commands/tenant',
  'commands/noctuary',
]

class LongFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const place = ({ moduleId }: TestSpecification) => LONG.findIndex((name) => moduleId.endsWith(`/${name}.test.ts`))
    const sorted = await super.sort(files)
    const long = sorted.filter((file) => place(file) >= 0).toSorted((one, other) => place(one) - place(other))
    return [...long, ...sorted.filter((file) => place(file) < 0)]
  }
}

export default defineConfig({
  test: {
    include: [...(apart ?? ['test/**/*.test.ts'])],
    exclude: apart === undefined ? Object.keys(APART).map((name) => `test/${name}/**`) : [],
    globalSetup: ['test/support/global-setup.ts'],
    setupFiles: ['test/support/seed.ts'],
    // Many tests wait, for deadlines above all, rather than work.
    maxWorkers: 4,
    // Tests share nothing but stores, so files may share what they import, which took a third of the time.
    isolate: false,
    sequence: { sequencer: LongFirst },
    // Only what hangs should meet these, however busy the machine is.
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
})
