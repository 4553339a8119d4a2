import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { Stack, StackAddresses } from './stack.ts'

export type SpawnOptions = {
  readonly databaseUrl?: string | undefined
  readonly redisUrl?: string | undefined
  readonly dataDirectory?: string | undefined
  readonly freshConnections?: boolean | undefined
}

/** Starts the stack in a process of its own: inside Vitest its packages resolve to their browser builds. */
export async function spawnStack(options: SpawnOptions = {}): Promise<Stack> {
  const { databaseUrl = '', redisUrl = '', dataDirectory = '', freshConnections = false } = options
  const child = spawn(process.execPath, [fileURLToPath(new URL('stack.ts', import.meta.url))], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: {
      ...process.env,
      DATABASE_URL: databaseUrl,
      REDIS_URL: redisUrl,
      NOCTUARY_DATA: dataDirectory,
      NOCTUARY_CONNECTIONS: freshConnections ? 'fresh' : '',
    },
  })
  const exited = once(child, 'exit')
  const line = await Promise.race([
    once(createInterface(child.stdout), 'line'),
    exited.then(([code]) => Promise.reject(new Error(`The local stack ended with code ${code}`))),
  ])
  // The stack prints its addresses, and nothing else, on its first line.
  const addresses = JSON.parse(String(line[0])) as StackAddresses

  return {
    ...addresses,
    stop: async () => {
      child.stdin.end()
      await exited
    },
  }
}
