import type { Diagnosis, Hypothesis } from '../../src/domain/diagnosis/model.ts'
import { type EventId, toId } from '../../src/domain/ids.ts'
import type { CitedEvent } from '../../src/domain/telling/cited-event.ts'
import type { WordingSource } from '../../src/domain/telling/model-prompt.ts'

const TRIGGERED_AT = new Date('2026-02-03T14:20:00Z')

const deployId = toId<EventId>('0d3c7c1e-7b5e-4a53-9a55-000000000001')
const flagId = toId<EventId>('0d3c7c1e-7b5e-4a53-9a55-000000000002')

const deploy: CitedEvent = {
  serviceName: 'payments-api',
  vendor: 'argocd',
  eventType: 'deploy',
  entity: 'payments-api',
  oldValue: null,
  newValue: 'succeeded',
  actor: null,
  sha: 'a4f2c1',
  environment: null,
  url: null,
  details: null,
  timestamp: new Date('2026-02-03T14:16:02Z'),
  count: 1,
}

const flag: CitedEvent = {
  ...deploy,
  serviceName: 'checkout',
  vendor: 'flagd',
  eventType: 'flag_change',
  entity: 'new-cart',
  oldValue: 'off',
  newValue: 'on',
  sha: null,
  timestamp: new Date('2026-02-03T14:09:30Z'),
  count: 412,
}

const first: Hypothesis = {
  eventIds: [deployId],
  service: 'payments-api',
  score: 4.2,
  path: ['payments-api', 'checkout'],
  reasonsFor: ['Calls to payments-api fail'],
  reasonsAgainst: [],
  sentence: 'Deploy sha=a4f2c1 to payments-api rolled out 4 minutes before onset',
  recommendedAction: 'Roll back to sha=f8b3e22',
}

const second: Hypothesis = {
  ...first,
  eventIds: [flagId],
  service: 'checkout',
  score: 2.1,
  path: ['checkout'],
  reasonsFor: ['It is the alerting service'],
  reasonsAgainst: ['It changed before and nothing happened'],
  sentence: 'Flag new-cart on checkout changed from off to on 10 minutes before onset',
  recommendedAction: 'Switch new-cart back to off',
}

const diagnosis: Diagnosis = {
  assessment: 'cause',
  onset: null,
  gaps: [],
  hypotheses: [first, second],
  hypothesis: first.sentence,
  recommendedAction: first.recommendedAction,
  confidence: 0.8,
  unrecorded: 0.2,
  abstained: false,
  evidence: [deployId],
  ruledOut: [],
  reasoning: 'Calls to payments-api fail',
}

/** A diagnosis with two candidates and the events they cite; the first one's event with other fields, if wanted. */
export function makeWordingSource(fields: Partial<CitedEvent> = {}, changes: Partial<Diagnosis> = {}): WordingSource {
  return {
    alert: { service: 'checkout', triggeredAt: TRIGGERED_AT, title: 'Error rate above 5 %' },
    diagnosis: { ...diagnosis, ...changes },
    events: new Map([
      [deployId, { ...deploy, ...fields }],
      [flagId, flag],
    ]),
  }
}
