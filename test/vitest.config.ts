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

/** What starts processes or waits takes longer than a file's size says, which is all that is known in a fresh checkout. */
const LONG = [
  'worker/dev',
  'store/races',
  'http/receivers',
  'store/sweep',
  'http/incident-work',
  'http/follow-up-deaths',
  'http/known-windows',
  'http/fuzz',
  'http/faults',
]

class LongFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const isLong = ({ moduleId }: TestSpecification) => LONG.some((name) => moduleId.endsWith(`/${name}.test.ts`))
    const sorted = await super.sort(files)
    return [...sorted.filter(isLong), ...sorted.filter((file) => !isLong(file))]
  }
}

export default defineConfig({
  test: {
    include: [...(apart ?? ['test/**/*.test.ts'])],
    exclude: apart === undefined ? Object.keys(APART).map((name) => `test/${name}/**`) : [],
    globalSetup: ['test/support/global-setup.ts'],
    setupFiles: ['test/support/seed.ts'],
    // Many tests wait, for deadlines above all, rather than work.
    maxWorkers: 3,
    // Tests share nothing but stores, so files may share what they import, which took a third of the time.
    isolate: false,
    sequence: { sequencer: LongFirst },
    // Only what hangs should meet these, however busy the machine is.
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
})
