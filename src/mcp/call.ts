import type { Deps } from '../deps.ts'
import type { TenantId } from '../domain/ids.ts'
import type { Trail } from '../store/audit.ts'

/** On whose behalf a message is answered, and with what. */
export type Call = {
  readonly deps: Deps
  readonly tenantId: TenantId
  /** Whether the key may ask for diagnoses and judge them, besides reading. */
  readonly mayChange: boolean
  readonly keyHash: string
  readonly trail: Trail
  readonly defer: (work: Promise<unknown>) => void
  readonly logBug: (error: unknown) => void
}

/** A message that cannot be answered as it is, by the codes of JSON-RPC and MCP. */
export class RpcError extends Error {
  override readonly name = 'RpcError'
  readonly code: number
  readonly data: unknown

  constructor(code: number, message: string, data?: unknown) {
    super(message)
    this.code = code
    this.data = data
  }
}

export const INVALID_PARAMS = -32_602
