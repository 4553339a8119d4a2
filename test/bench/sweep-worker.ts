import { type Bindings, readConfig } from '../../src/config.ts'
import { createDeps, type Deps } from '../../src/deps.ts'
import { runSweep } from '../../src/usecases/run-sweep.ts'

let deps: Deps | undefined

// Runs the sweep where the cron trigger does, in a Worker that serves nothing else, when a request says so.
const sweepWorker = {
  async fetch(_request: Request, bindings: Bindings): Promise<Response> {
    deps ??= createDeps(readConfig(bindings))
    return Response.json(await runSweep(deps, deps.now()))
  },
}

export { sweepWorker as default }
