import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { stripVTControlCharacters } from 'node:util'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
export const STATE = resolve(ROOT, process.env['NOCTUARY_STATE'] || '.wrangler')
const DEV_FILE = join(STATE, 'dev.json')
const REQUEST_TIMEOUT_MS = 30_000

/** A running "npm run dev". */
export type Dev = { readonly url: string; readonly tenantId: string; readonly readonlyKey: string; readonly pagerDutyUrl: string }

type Call = {
  readonly method?: 'POST' | 'PUT'
  /** `null`: the path says who calls. */
  readonly key?: string | null
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
  readonly expect: readonly number[]
}
type Answer = { readonly status: number; readonly body: unknown }

/** A reason to end that is the user's to know: told in one line, without a stack. */
export class DemoError extends Error {}

/** The running "npm run dev"; throws when there is none. */
export async function findDev(): Promise<Dev> {
  const dev = readDevFile()
  const response = dev && (await fetch(`${dev.url}/health`, { signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS) }).catch(() => undefined))
  if (!dev || !response) throw new DemoError('nothing to send to: run "npm run dev" first, in another terminal')
  return dev
}

function readDevFile(): Dev | undefined {
  const { url, tenant_id, readonly_key, pagerduty_url } = readJsonFile(DEV_FILE)
  const isComplete = [url, tenant_id, readonly_key, pagerduty_url].every((field) => typeof field === 'string')
  if (!isComplete) return undefined
  return {
    url: String(url).replace(/\/$/, ''),
    tenantId: String(tenant_id),
    readonlyKey: String(readonly_key),
    pagerDutyUrl: String(pagerduty_url).replace(/\/$/, ''),
  }
}

/** A file's JSON object; an empty one when there is none. */
export function readJsonFile(path: string): Readonly<Record<string, unknown>> {
  try {
    return Object(JSON.parse(readFileSync(path, 'utf8')))
  } catch {
    return {}
  }
}

/** One call of the API; throws when the answer is not an expected one. */
export async function request(dev: Dev, path: string, { method, key = dev.readonlyKey, headers, body, expect }: Call): Promise<Answer> {
  const call = `${method ?? 'GET'} ${path.replace(/tok_.*/, 'tok_…')}`
  const init = {
    method: method ?? 'GET',
    headers: {
      ...(key === null ? {} : { Authorization: `Bearer ${key}` }),
      ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
      ...headers,
    },
    signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
    ...(body === undefined ? {} : { body }),
  }
  const response = await fetch(`${dev.url}${path}`, init).catch((error: Error) => {
    throw new DemoError(`${call} was not answered (${error.name}): is "npm run dev" still running?`)
  })
  const answer = { status: response.status, body: parseJson(await response.text()) }
  if (expect.includes(answer.status)) return answer
  throw new DemoError(`${call} answered ${answer.status}: ${toText(Object(answer.body).detail ?? 'no detail')}`)
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** Text from events on one line, without anything that could steer a terminal. */
export function toText(value: unknown): string {
  return stripVTControlCharacters(String(value)).replace(/\p{Cc}+/gu, ' ')
}
