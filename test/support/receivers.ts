import { randomUUID } from 'node:crypto'
import { inject } from 'vitest'
import { createReceivers } from '../../src/outbound/receivers/index.ts'
import type { ReceiverFault, TakenMessage } from '../stack/receiver-api.ts'
import type { StackAddresses } from '../stack/stack.ts'
import type { TestApp, TestTenant } from './app.ts'

/** A path of the stand-in's that nobody else uses, of a kind of receiver. */
export const newPath = (kind: string) => `/${kind}/${randomUUID()}`

export const toUrl = (path: string, { receiversUrl }: StackAddresses = inject('stack')) => `${receiversUrl}${path}`

/** What arrived there, in order. */
export async function listTaken(path: string, stack: StackAddresses = inject('stack')): Promise<TakenMessage[]> {
  return await (await fetch(toUrl(`/stand-in${path}`, stack))).json()
}

/** Tells the stand-in what befalls the next messages. */
export async function scriptReceiver(
  path: string,
  faults: readonly ReceiverFault[],
  stack: StackAddresses = inject('stack'),
): Promise<void> {
  await fetch(toUrl(`/stand-in${path}`, stack), { method: 'PUT', body: JSON.stringify(faults) })
}

export type Connected = { readonly id: string; readonly secret: string | undefined }

/** An integration with a receiver. */
export async function connectReceiver(
  app: TestApp,
  { readonlyKey }: TestTenant,
  type: string,
  config: Readonly<Record<string, unknown>>,
): Promise<Connected> {
  const response = await app.request('/v1/integrations', { key: readonlyKey, body: { type, config } })
  if (response.status !== 201) throw new Error(`${type}: ${response.status} ${await response.text()}`)
  const { id, secret }: { id: string; secret?: string } = await response.json()
  return { id, secret }
}

/** The clients of those who are told, which wait no longer than tests should. */
export function toQuickReceivers(stack: StackAddresses) {
  return createReceivers({
    pagerDuty: { url: stack.pagerDutyUrl, timeoutMs: 500 },
    slack: { url: toUrl('/slack-api', stack) },
    network: { ownHosts: [], allowsLoopback: true, timeoutMs: 500 },
  })
}
