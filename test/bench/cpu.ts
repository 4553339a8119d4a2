import { readdir, readFile } from 'node:fs/promises'
import { sql } from 'drizzle-orm'
import type { Db } from '../../src/store/postgres.ts'
import { median } from './statistics.ts'

export const PARTS = ['worker', 'postgres', 'stack', 'redis', 'load'] as const

/** Milliseconds of CPU each part of the local cloud has used; `load` is this process, which makes the requests. */
export type CpuTimes = Readonly<Record<(typeof PARTS)[number], number>>

type Process = { readonly pid: number; readonly parent: number; readonly name: string; readonly cpuMs: number }

/** Linux counts CPU in hundredths of a second. */
const TICK_MS = 10

/** How much CPU has been used so far, on Linux; `undefined` where the system does not tell. */
export async function readCpuTimes(db: Db): Promise<CpuTimes | undefined> {
  const processes = await listProcesses()
  if (processes.length === 0) return undefined
  const { rows } = await db.execute<{ pid: number }>(sql`SELECT pid FROM pg_stat_activity WHERE datname = current_database()`)
  const backends = new Set(rows.map(({ pid }) => pid))
  const sum = (isPart: (process: Process) => boolean) => processes.filter(isPart).reduce((total, { cpuMs }) => total + cpuMs, 0)
  const isOurs = ({ parent }: Process) => parent === process.pid
  return {
    worker: sum((one) => isOurs(one) && one.name === 'workerd'),
    stack: sum((one) => isOurs(one) && one.name !== 'workerd'),
    postgres: sum(({ pid }) => backends.has(pid)),
    redis: sum(({ name }) => name === 'redis-server'),
    load: sum(({ pid }) => pid === process.pid),
  }
}

/** What was used between two readings, a unit of work. */
export function toCpuPer(units: number, before: CpuTimes | undefined, after: CpuTimes | undefined): CpuTimes | undefined {
  if (!before || !after) return undefined
  const per = (part: keyof CpuTimes) => (after[part] - before[part]) / units
  return { worker: per('worker'), postgres: per('postgres'), stack: per('stack'), redis: per('redis'), load: per('load') }
}

/** Each part's median over several rounds. */
export function toMedianCpu(rounds: readonly CpuTimes[]): CpuTimes | undefined {
  if (rounds.length === 0) return undefined
  const medianOf = (part: keyof CpuTimes) => median(rounds.map((round) => round[part]))
  return {
    worker: medianOf('worker'),
    postgres: medianOf('postgres'),
    stack: medianOf('stack'),
    redis: medianOf('redis'),
    load: medianOf('load'),
  }
}

async function listProcesses(): Promise<Process[]> {
  const pids = (await readdir('/proc').catch(() => [])).filter((name) => /^\d+$/.test(name))
  const processes = await Promise.all(pids.map((pid) => readProcess(Number(pid))))
  return processes.flatMap((one) => one ?? [])
}

/** One process, from `/proc`; `undefined` when it has ended meanwhile. */
async function readProcess(pid: number): Promise<Process | undefined> {
  const line = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
  const [, name = '', rest = ''] = /^\d+ \((.*)\) (.*)$/s.exec(line) ?? []
  const fields = rest.split(' ')
  if (fields.length < 20) return undefined
  return { pid, parent: Number(fields[1]), name, cpuMs: TICK_MS * (Number(fields[11]) + Number(fields[12])) }
}
