import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'

/** A folder held until its release, or who holds it. */
export type FolderLock = { readonly isHeld: true; readonly release: () => void } | { readonly isHeld: false; readonly holder: string }

const SQLITE_BUSY = 5

/**
 * Takes a folder for this process. SQLite's lock is the kernel's: it ends with the process, however that ends, so that none is ever
 * stale and no process id has to be believed. `holder` is what another process is told meanwhile.
 */
export function lockFolder(folder: string, holder: string): FolderLock {
  const lock = new DatabaseSync(join(folder, 'dev.lock'), { timeout: 0 })
  const holderFile = join(folder, 'dev.holder')
  try {
    lock.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE')
  } catch (error) {
    lock.close()
    if (!isBusy(error)) throw error
    return { isHeld: false, holder: readText(holderFile) }
  }
  writeFileSync(holderFile, holder)
  return { isHeld: true, release: () => lock.close() }
}

function isBusy(error: unknown): boolean {
  return error instanceof Error && 'errcode' in error && error.errcode === SQLITE_BUSY
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return 'another process'
  }
}
