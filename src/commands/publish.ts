import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const DIST = fileURLToPath(new URL('../../dist', import.meta.url))

const listFiles = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => statSync(join(folder, name)).isFile())

/**
 * Makes the folder of this name under `dist` what `make` writes into an empty one. Files are put in place whole, one by one, and only
 * where they differ: `npm run dev` may be serving from there.
 */
export function publish(name: string, make: (folder: string) => void): void {
  mkdirSync(DIST, { recursive: true })
  const [made, folder] = [mkdtempSync(join(DIST, '.made-')), join(DIST, name)]
  try {
    make(made)
    const files = new Set(listFiles(made))
    for (const file of files) {
      const place = join(folder, file)
      if (existsSync(place) && readFileSync(place).equals(readFileSync(join(made, file)))) continue
      mkdirSync(dirname(place), { recursive: true })
      renameSync(join(made, file), place)
    }
    for (const file of listFiles(folder)) if (!files.has(file)) rmSync(join(folder, file), { force: true })
  } finally {
    rmSync(made, { recursive: true })
  }
}
