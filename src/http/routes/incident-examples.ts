import { EXAMPLE_IDS } from '../schemas.ts'
import { EXAMPLE_WINDOW } from './window-body.ts'

export const EXAMPLE_ITEM = {
  id: EXAMPLE_IDS.incident,
  tenant_id: EXAMPLE_IDS.tenant,
  service_id: EXAMPLE_IDS.service,
  service: 'checkout',
  status: 'diagnosed' as const,
  title: 'Error rate above 5 % on checkout',
  url: 'https://acme.pagerduty.com/incidents/Q1NCIDENT0042',
  environment: 'production',
  triggered_at: '2026-01-15T10:27:41.000Z',
  hypothesis: 'Deploy sha=a4f2c1 to checkout rolled out 4 minutes before onset',
  recommended_action: 'Roll back to the previous revision',
  confidence: 0.81,
  external_ref: 'Q1NCIDENT0042',
  external_source: 'pagerduty',
  posted_back: true,
  resolved_at: null,
  engineer_confirmed: true,
  diagnosis_of: null,
  created_at: '2026-01-15T10:27:42.310Z',
}

const [EXAMPLE_DEPLOY] = EXAMPLE_WINDOW.deploy_events

export const EXAMPLE_SHARE = {
  id: EXAMPLE_IDS.share,
  created_at: '2026-01-15T10:30:00.000Z',
  expires_at: '2026-01-18T10:30:00.000Z',
  created_by: `api_key:${EXAMPLE_IDS.readonlyKey}`,
}

export const EXAMPLE_DETAIL = {
  ...EXAMPLE_ITEM,
  diagnosed_at: '2026-01-15T10:27:42.702Z',
  diagnosed_by: 'rules',
  changed: null,
  hypotheses: [
    {
      event_ids: [EXAMPLE_IDS.event],
      service: 'checkout',
      score: 4.2,
      path: ['checkout'],
      reasons_for: ['it is a change of the alerting service itself'],
      reasons_against: [],
      hypothesis: EXAMPLE_ITEM.hypothesis,
      recommended_action: EXAMPLE_ITEM.recommended_action,
    },
  ],
  ruled_out: [],
  reasoning: 'it is a change of the alerting service itself',
  assessment: 'cause' as const,
  gaps: [{ service: 'payments', kind: 'changes' as const, state: 'never' as const, since: null }],
  evidence: EXAMPLE_DEPLOY ? [{ service: 'checkout', ...EXAMPLE_DEPLOY }] : [],
  context_snapshot: {
    alert: { service: 'checkout', triggered_at: EXAMPLE_ITEM.triggered_at, title: EXAMPLE_ITEM.title },
    observed_until: '2026-01-15T10:27:42.512Z',
    windows: [EXAMPLE_WINDOW],
    dependencies: [{ caller: 'checkout', callee: 'payments', seen: 3, last_seen_at: '2026-01-14T08:01:00.000Z', declared: false }],
    counts: { hours_observed: 0, kinds: [] },
    patterns: [],
  },
  earlier_diagnoses: [],
  notes: [
    {
      status: 'posted' as const,
      attempts: 1,
      reason: null,
      content: 'Noctuary Context\nHypothesis: …',
      posted_at: '2026-01-15T10:27:43.105Z',
    },
  ],
  similar_incidents: [
    {
      id: EXAMPLE_IDS.event,
      service: 'checkout',
      title: null,
      triggered_at: '2026-01-03T22:10:05.000Z',
      hypothesis: 'Deploy sha=99c0de to checkout rolled out 3 minutes before onset',
      engineer_confirmed: true,
      similarity: 0.93,
    },
  ],
  failure: null,
  maintenance: null,
  shares: [],
}
