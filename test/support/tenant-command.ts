import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { inject } from 'vitest'

const COMMAND = fileURLToPath(new URL('../../src/commands/tenant.ts', import.meta.url))

type Outcome = { readonly code: number; readonly stdout: string; readonly stderr: string }

/** Runs `npm run tenant` as operators do, in a process of its own, over the run's database unless `env` names another. */
export function runTenantCommand(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Outcome> {
  const { databaseUrl, databaseEndpoint } = inject('stack')
  const variables = { ...process.env, DATABASE_URL: databaseUrl, DATABASE_ENDPOINT: databaseEndpoint, ...env }
  return new Promise((resolve) => {
    execFile(process.execPath, [COMMAND, ...args], { env: variables, maxBuffer: 64 * 1_048_576 }, (error, stdout, stderr) => {
      resolve({ code: typeof error?.code === 'number' ? error.code : 0, stdout, stderr })
    })
  })
}
