import type { LineVerdict, LogLine } from './line.ts'

/** One pair of logfmt, quoted or not. */
const PAIR = /([a-z][\w-]*)=(?:"((?:[^"\\]|\\.)*)"|(\S*))/gy
const MAX_PAIRS = 64

/** The pairs of a logfmt line; `undefined` for a line that does not start with one. */
function readLogfmt(text: string): ReadonlyMap<string, string> | undefined {
  const pairs = new Map<string, string>()
  PAIR.lastIndex = 0
  while (pairs.size < MAX_PAIRS) {
    const match = PAIR.exec(text)
    if (!match) break
    pairs.set(match[1] ?? '', match[2] ?? match[3] ?? '')
    while (text[PAIR.lastIndex] === ' ') PAIR.lastIndex += 1
  }
  return pairs.size > 0 ? pairs : undefined
}

/** Argo CD's application controller: syncs, health, its repository. */
export function readArgocdLine({ text }: LogLine): LineVerdict {
  if (!text.includes('msg="') || !text.includes('app=')) return 'foreign'
  const pairs = readLogfmt(text)
  const [app, message] = [pairs?.get('app'), pairs?.get('msg')]
  if (!pairs || !app || !message) return 'foreign'
  const revision = pairs.get('revision') ?? ''
  const base = {
    type: 'deploy',
    vendor: 'argocd',
    service: 'argocd-application-controller',
    entity: app,
    sha: revision || undefined,
    ttlSeconds: 1_800,
    timestamp: pairs.get('time'),
  } as const
  switch (message) {
    case 'Sync operation starting':
      return { ...base, new: `syncing:${revision}`, confidence: 0.95 }
    case 'Sync operation succeeded':
      return { ...base, new: 'succeeded', confidence: 0.97 }
    case 'Sync operation failed':
      return { ...base, new: 'failed', confidence: 0.97 }
    case 'Triggering automatic sync':
      return { ...base, new: `auto_syncing:${revision}`, confidence: 0.93 }
    case 'App health changed': {
      const to = pairs.get('to')
      return to ? { ...base, sha: undefined, old: pairs.get('from'), new: `health:${to}`, confidence: 0.93, ttlSeconds: 900 } : 'quiet'
    }
    case 'Failed to get git client for repo':
      return { ...base, type: 'dependency_failure', sha: undefined, new: 'repo_unavailable', confidence: 0.92 }
    default:
      return 'quiet'
  }
}
