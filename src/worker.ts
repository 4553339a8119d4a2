import { createApp } from './app.ts'
import { type Bindings, readConfig } from './config.ts'
import { createDashboard } from './dashboard/index.tsx'
import { createDeps, type Deps } from './deps.ts'
import { runSweep } from './usecases/run-sweep.ts'

type Isolate = { readonly deps: Deps; readonly app: ReturnType<typeof createApp> }

let isolate: Isolate | undefined

function open(bindings: Bindings): Isolate {
  if (!isolate) {
    const deps = createDeps(readConfig(bindings))
    isolate = { deps, app: createApp(deps, createDashboard(deps)) }
  }
  return isolate
}

export default {
  fetch(request: Request, bindings: Bindings, context: Parameters<Isolate['app']['fetch']>[2]) {
    return open(bindings).app.fetch(request, bindings, context)
  },

  async scheduled(controller: { readonly scheduledTime: number }, bindings: Bindings): Promise<void> {
    await runSweep(open(bindings).deps, new Date(controller.scheduledTime))
  },
}
