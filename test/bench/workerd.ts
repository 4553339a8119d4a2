import { type ChildProcess, exec, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { basename, dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { QUIET_WRANGLER } from '../stack/wrangler.ts'

/** A bundle as `wrangler deploy` would upload it. */
export type Bundle = {
  readonly directory: string
  readonly module: string
  readonly compatibilityDate: string
  readonly flags: readonly string[]
}

export type ServedWorker = { readonly url: string; readonly stop: () => Promise<void> }

const PROJECT = fileURLToPath(new URL('../..', import.meta.url))
const STARTUP_TIMEOUT_MS = 15_000
/** What the configuration says of files beside the Worker, which Cloudflare serves. */
const FILES_TO_SERVE = /^\[(?:build|assets)\]\n(?:[^[\n].*\n)*/gm
const BUILD_COMMAND = /^\[build\]\ncommand = "([^"]+)"/m

const requireFromHere = createRequire(import.meta.url)

// workerd and the build come with wrangler, and are found from there: they are nobody's own dependencies.
function locateTools(): { readonly wrangler: string; readonly workerd: string } {
  const manifest = requireFromHere.resolve('wrangler/package.json')
  const { default: workerd } = createRequire(manifest)('workerd') as { readonly default: string }
  return { wrangler: join(dirname(manifest), 'bin', 'wrangler.js'), workerd }
}

const readConfig = (project: string) => readFile(join(project, 'wrangler.toml'), 'utf8')

/** Makes what bundles are built with: what the configuration has wrangler do first, which they are built without. */
export async function prepareBundles(project = PROJECT): Promise<void> {
  await promisify(exec)(BUILD_COMMAND.exec(await readConfig(project))?.[1] ?? 'true', { cwd: project })
}

/** Builds an entry file of a project for production, minified, into a directory that takes nothing and leaves nothing elsewhere. */
export async function buildBundle(entry: string, directory: string, project = PROJECT): Promise<Bundle> {
  await mkdir(directory, { recursive: true })
  // wrangler puts its temporary files beside the configuration it is given.
  const config = join(directory, 'wrangler.toml')
  const toml = (await readConfig(project)).replace(FILES_TO_SERVE, '')
  await writeFile(config, toml)
  const outdir = join(directory, 'bundle')
  const flags = ['deploy', entry, '--config', config, '--dry-run', '--minify', '--outdir', outdir]
  await promisify(execFile)(process.execPath, [locateTools().wrangler, ...flags], {
    cwd: project,
    env: { ...process.env, ...QUIET_WRANGLER },
  })
  return {
    directory: outdir,
    module: `${basename(entry, '.ts')}.js`,
    compatibilityDate: /^compatibility_date *= *"([^"]+)"/m.exec(toml)?.[1] ?? '',
    flags: [...(/^compatibility_flags *= *\[([^\]]*)\]/m.exec(toml)?.[1] ?? '').matchAll(/"([^"]+)"/g)].map(([, flag = '']) => flag),
  }
}

const quote = (text: string): string => JSON.stringify(text)

function toCapnp({ module, compatibilityDate, flags }: Bundle, bindings: Readonly<Record<string, string>>): string {
  const texts = Object.entries(bindings).map(([name, text]) => `(name = ${quote(name)}, text = ${quote(text)})`)
  return `using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [
    (name = "worker", worker = .worker),
    (name = "internet", network = (allow = ["public", "private"])),
  ],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "worker")],
);

const worker :Workerd.Worker = (
  modules = [(name = ${quote(module)}, esModule = embed ${quote(module)})],
  compatibilityDate = ${quote(compatibilityDate)},
  compatibilityFlags = [${flags.map(quote).join(', ')}],
  bindings = [${texts.join(', ')}],
);
`
}

/** Reads the port from what workerd reports about its sockets. */
async function findPort(child: ChildProcess, control: Readable, errors: () => string): Promise<number> {
  const timeout = AbortSignal.timeout(STARTUP_TIMEOUT_MS)
  const ended = once(child, 'exit').then(([code]) => Promise.reject(new Error(`workerd ended with ${code}: ${errors()}`)))
  const listening = new Promise<number>((resolve) => {
    createInterface(control).on('line', (line) => {
      // workerd reports an object for everything it listens on.
      const { socket, port } = JSON.parse(line) as { readonly socket?: string; readonly port?: number }
      if (socket === 'http' && port !== undefined) resolve(port)
    })
  })
  return Promise.race([
    listening,
    once(timeout, 'abort').then(() => Promise.reject(new Error(`workerd does not start: ${errors()}`))),
    ended,
  ])
}

/** Serves a bundle in a workerd of its own, which ends with this process at the latest. */
export async function serveBundle(bundle: Bundle, name: string, bindings: Readonly<Record<string, string>>): Promise<ServedWorker> {
  const config = join(bundle.directory, `${name}.capnp`)
  await writeFile(config, toCapnp(bundle, bindings))

  const child = spawn(locateTools().workerd, ['serve', config, '--control-fd=3'], { stdio: ['ignore', 'ignore', 'pipe', 'pipe'] })
  const kill = (): void => void child.kill('SIGKILL')
  process.once('exit', kill)
  let errors = ''
  child.stderr?.on('data', (chunk: Buffer) => {
    errors = (errors + chunk.toString('utf8')).slice(-2_000)
  })
  const exited = once(child, 'exit')
  const stop = async (): Promise<void> => {
    kill()
    await exited
    process.off('exit', kill)
  }

  try {
    // The fourth entry of `stdio` above makes a readable pipe.
    const port = await findPort(child, child.stdio[3] as Readable, () => errors)
    return { url: `http://127.0.0.1:${port}`, stop }
  } catch (error) {
    await stop()
    throw error
  }
}
