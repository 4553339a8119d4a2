import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

const LOOK_MS = 500

/** Calls back once what started this process has ended, however it did: npm as well, which may leave the shell between alive. */
export function onStarterEnd(end: () => void): void {
  const isBelowShell = isShellOfNpm(process.ppid)
  const readStarters = () => `${process.ppid} ${isBelowShell ? findParent(process.ppid) : ''}`
  const starters = readStarters()
  const timer = setInterval(() => {
    if (readStarters() === starters) return
    clearInterval(timer)
    end()
  }, LOOK_MS)
  timer.unref()
}

/** npm runs a script by `sh -c SCRIPT`, which some shells turn into the script's own process and others wait for. */
function isShellOfNpm(pid: number): boolean {
  const script = process.env['npm_lifecycle_script']
  const command = readProcess(`/proc/${pid}/cmdline`, 'args', pid)?.replaceAll('\0', ' ') ?? ''
  return script !== undefined && command.includes(` -c ${script}`)
}

function findParent(pid: number): number | undefined {
  const status = readProcess(`/proc/${pid}/status`, 'ppid', pid)
  const digits = /^PPid:\s*(\d+)/m.exec(status ?? '')?.[1] ?? status?.trim()
  return digits === undefined ? undefined : Number(digits)
}

/** What Linux has in a file; elsewhere `ps` tells it. */
function readProcess(file: string, field: string, pid: number): string | undefined {
  try {
    return process.platform === 'linux'
      ? readFileSync(file, 'utf8')
      : execFileSync('ps', ['-o', `${field}=`, '-p', String(pid)], { encoding: 'utf8' })
  } catch {
    return undefined
  }
}
