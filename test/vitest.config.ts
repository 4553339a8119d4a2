import { defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

// The browser's tests need a Chromium, which CI installs: `npm run test:browser`.
const isBrowserRun = process.env['NOCTUARY_TESTS'] === 'browser'

/** What starts processes or waits takes longer than a file's size says, which is all that is known in a fresh checkout. */
const LONG = ['commands/tenant', 'http/incident-work', 'store/sweep', 'worker/dev', 'worker/dev-start', 'http/known-windows']

class LongFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const isLong = ({ moduleId }: TestSpecification) => LONG.some((name) => moduleId.endsWith(`/${name}.test.ts`))
    const sorted = await super.sort(files)
    return [...sorted.filter(isLong), ...sorted.filter((file) => !isLong(file))]
  }
}

export default defineConfig({
  test: {
    include: isBrowserRun ? ['test/browser/*.test.ts'] : ['test/**/*.test.ts'],
    exclude: isBrowserRun ? [] : ['test/browser/**'],
    globalSetup: ['test/support/global-setup.ts'],
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
