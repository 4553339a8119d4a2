import { defineConfig } from 'vitest/config'

// The browser's tests need a Chromium, which CI installs: `npm run test:browser`.
const isBrowserRun = process.env['NOCTUARY_TESTS'] === 'browser'

export default defineConfig({
  test: {
    include: isBrowserRun ? ['test/browser/*.test.ts'] : ['test/**/*.test.ts'],
    exclude: isBrowserRun ? [] : ['test/browser/**'],
    globalSetup: ['test/support/global-setup.ts'],
    // Many tests wait, for deadlines above all, rather than work.
    maxWorkers: 3,
    // Only what hangs should meet these, however busy the machine is.
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
})
