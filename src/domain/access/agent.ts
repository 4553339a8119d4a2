export type AgentStatus = 'online' | 'stale' | 'offline'

const ONLINE_MS = 2 * 60_000
const STALE_MS = 10 * 60_000

/** An agent is online for two minutes after its last heartbeat or event, stale for ten. */
export function toAgentStatus(lastSeenAt: Date, now: Date): AgentStatus {
  const silentMs = now.getTime() - lastSeenAt.getTime()
  if (silentMs <= ONLINE_MS) return 'online'
  return silentMs <= STALE_MS ? 'stale' : 'offline'
}
