import { createApp } from './app.ts'
import { type Bindings, ConfigError, readConfig } from './config.ts'
import { createDashboard } from './dashboard/index.tsx'
import { createDeps, type Deps } from './deps.ts'
import { logToConsole } from './log.ts'
import { runSweep } from './usecases/run-sweep.ts'
import { type QueuedMessage, storeQueued } from './usecases/store-queued.ts'

type Isolate = { readonly deps: Deps; readonly app: ReturnType<typeof createApp> }

let isolate: Isolate | undefined
let misconfigured: ConfigError | undefined

/** Checked once: an isolate keeps its bindings for life. */
function open(bindings: Bindings): Isolate {
  if (misconfigured) throw misconfigured
  try {
    return openOnce(bindings)
  } catch (error) {
    if (error instanceof ConfigError) {
      misconfigured = error
      logToConsole('misconfigured', { problems: error.problems })
    }
    throw error
  }
}

function openOnce(bindings: Bindings): Isolate {
  if (!isolate) {
    const deps = createDeps(readConfig(bindings))
    isolate = { deps, app: createApp(deps, createDashboard(deps)) }
  }
  return isolate
}

const MISCONFIGURED = 'This installation is not set up yet: its log says what is missing.\n'

export default {
  fetch(request: Request, bindings: Bindings, context: Parameters<Isolate['app']['fetch']>[2]) {
    try {
      return open(bindings).app.fetch(request, bindings, context)
    } catch (error) {
      if (error instanceof ConfigError) return new Response(MISCONFIGURED, { status: 503, headers: { 'Retry-After': '60' } })
      throw error
    }
  },

  async queue(batch: { readonly messages: readonly QueuedMessage[] }, bindings: Bindings): Promise<void> {
    await storeQueued(open(bindings).deps, batch.messages)
  },

  async scheduled(controller: { readonly scheduledTime: number }, bindings: Bindings): Promise<void> {
    await runSweep(open(bindings).deps, new Date(controller.scheduledTime))
  },
}
