import { defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

// What needs a Chromium or senders' own programs, which CI installs: `npm run test:browser`, `npm run test:clients`.
const APART = ['browser', 'clients']
const apart = APART.find((name) => name === process.env['NOCTUARY_TESTS'])

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
    include: apart === undefined ? ['test/**/*.test.ts'] : [`test/${apart}/*.test.ts`],
    exclude: apart === undefined ? APART.map((name) => `test/${name}/**`) : [],
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
