import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { expect, onTestFinished, test } from 'vitest'
import { servePagerDuty } from '../stack/pagerduty-api.ts'
import { alertAndFindNote, findFreePort, isServed, listProcesses, startDevServer, waitFor } from '../support/dev-server.ts'

const run = promisify(execFile)
const GUARD = new URL('../stack/worker-guard.ts', import.meta.url).href
const LOCK = new URL('../stack/folder-lock.ts', import.meta.url).href

function makeFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'noctuary-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

function startNode(source: string) {
  const child = spawn(process.execPath, ['--input-type=module', '-e', source], { stdio: ['ignore', 'pipe', 'inherit'] })
  onTestFinished(() => void child.kill('SIGKILL'))
  return child
}

test('a folder is held by one process, until that one is killed', async () => {
  const source = `
    const { lockFolder } = await import(${JSON.stringify(LOCK)})
    const lock = lockFolder(${JSON.stringify(makeFolder())}, 'number ' + process.pid)
    console.log(lock.isHeld ? 'held' : lock.holder)
    setTimeout(() => lock, lock.isHeld ? 60_000 : 0)`
  const first = startNode(source)
  expect(String(await once(first.stdout, 'data'))).toBe('held\n')
  const tries = await Promise.all([run(process.execPath, ['--input-type=module', '-e', source]), once(startNode(source).stdout, 'data')])
  expect([tries[0].stdout, String(tries[1])]).toEqual([`number ${first.pid}\n`, `number ${first.pid}\n`])
  first.kill('SIGKILL')
  await once(first, 'exit')
  expect(String(await once(startNode(source).stdout, 'data'))).toBe('held\n')
})

test('what wrangler started does not outlive an npm run dev that was killed', async () => {
  const starter = startNode(`
    import { spawn } from 'node:child_process'
    const worker = spawn(process.execPath, ['--import', ${JSON.stringify(GUARD)}, '-e', 'setInterval(() => {}, 1000)'], {
      detached: true,
      env: { ...process.env, NOCTUARY_STARTER: String(process.pid) },
    })
    console.log(worker.pid)
    setInterval(() => {}, 1000)`)
  const worker = Number(String(await once(starter.stdout, 'data')))
  const isAlive = () => {
    try {
      // A process that has ended and that nobody waited for still has a number.
      return !/^State:\s*Z/m.test(readFileSync(`/proc/${worker}/status`, 'utf8'))
    } catch {
      return false
    }
  }
  expect(isAlive()).toBe(true)
  starter.kill('SIGKILL')
  for (let waitedMs = 0; waitedMs < 10_000 && isAlive(); waitedMs += 100) await sleep(100)
  expect(isAlive()).toBe(false)
})

test('what answers in the Worker’s place is not taken for it', async () => {
  const port = await findFreePort()
  const dev = startDevServer(port, makeFolder())
  onTestFinished(() => void dev.child.kill('SIGKILL'))
  while (!dev.output().includes('Starting the Worker')) await sleep(20)
  const impostor = createServer((_, response) => void response.end('{"status":"ok"}')).listen(port, '127.0.0.1')
  onTestFinished(() => void impostor.close())
  const [code] = await once(dev.child, 'exit')
  expect([code, dev.output()]).toEqual([1, expect.stringContaining(`Address already in use (127.0.0.1:${port})`)])
  expect(dev.output()).not.toContain('Noctuary is ready')
})

test('another one in the folder keeps its data in memory, posts to the PagerDuty that its environment names, and ends with its npm; the file that says where is the first one’s again', async () => {
  const state = makeFolder()
  const first = startDevServer(await findFreePort(), state, { NOCTUARY_DATA: '' })
  onTestFinished(() => void first.child.kill('SIGKILL'))
  const dev = await first.ready()
  const own = await servePagerDuty({})
  onTestFinished(own.stop)
  const other = startDevServer(await findFreePort(), state, { PAGERDUTY_API_URL: own.url }, 'npm')
  onTestFinished(() => void other.child.kill('SIGKILL'))
  const file = await other.ready()
  expect(file.pagerduty_url).toBe(own.url)
  await alertAndFindNote(file, own.url)

  other.child.kill('SIGTERM')
  await once(other.child, 'exit')
  const ended = [file.url, file.database_endpoint, file.redis_url]
  await waitFor(async () => !(await Promise.all(ended.map(isServed))).includes(true))
  expect([await listProcesses(`--port ${new URL(file.url).port}`), await isServed(dev.url)]).toEqual([[], true])
  await waitFor(() => existsSync(join(state, 'dev.json')))
  expect(JSON.parse(readFileSync(join(state, 'dev.json'), 'utf8'))).toEqual(dev)
}, 300_000)

test.each([
  ['a port that is none', { PORT: '99999999' }, 'PORT must be a port number'],
  ['a Postgres that nobody serves', { DATABASE_URL: 'postgres://127.0.0.1:1/x' }, 'see that DATABASE_URL and REDIS_URL are right'],
  ['a Redis that nobody serves', { REDIS_URL: 'redis://127.0.0.1:1' }, 'see that DATABASE_URL and REDIS_URL are right'],
])('%s: one line, with the way out', async (_name, variables, text) => {
  const dev = startDevServer(await findFreePort(), makeFolder(), variables)
  const [code] = await once(dev.child, 'exit')
  const told = dev
    .output()
    .split('\n')
    .filter((line) => line !== '' && line !== 'Starting the stores …')
  expect([code, told]).toEqual([1, [expect.stringContaining(text)]])
})
