import { alertmanager } from './alertmanager.ts'
import { deploy } from './deploy.ts'
import type { Door } from './door.ts'
import { grafana } from './grafana.ts'

/** Every sender's door, by the name in its path. */
export const DOORS = {
  deploy,
  alertmanager,
  grafana,
} as const satisfies Readonly<Record<string, Door>>
