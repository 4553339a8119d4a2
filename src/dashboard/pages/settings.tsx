import type { Deps } from '../../deps.ts'
import { createPageRouter } from '../page-request.ts'
import { auditPages } from './audit.tsx'
import { integrationPages } from './integrations.tsx'
import { keyPages } from './keys.tsx'
import { peoplePages } from './listed-people.tsx'
import { maintenancePages } from './maintenance.tsx'
import { qualityPages } from './quality.tsx'

/** Keys, people, integrations, maintenance, quality and audit. */
export const settingsPages = (deps: Deps) =>
  createPageRouter()
    .get('/settings', (c) => c.redirect('/settings/keys', 303))
    .route('/', keyPages(deps))
    .route('/', peoplePages(deps))
    .route('/', integrationPages(deps))
    .route('/', maintenancePages(deps))
    .route('/', qualityPages(deps))
    .route('/', auditPages(deps))
