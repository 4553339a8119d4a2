import { declareEdge, makeEntry, makeWindow, SHOP } from './diagnosis.ts'
import { deploy, errors, failure, later, type ToldRow } from './told.ts'

/** Answers that name no change, word by word. */
export const TOLD_ABSTENTIONS: readonly ToldRow[] = [
  {
    name: 'a host outside that cannot be reached, long after a deploy',
    windows: [
      makeWindow('frontend', deploy(-5_000, 'a4f2c1d'), errors(-300, 'Post "https://api.stripe.com/v1": context deadline exceeded')),
    ],
    says: [
      'external: frontend has been unable to reach api.stripe.com since 11:55 UTC; no recorded change explains it',
      '→ Check whether api.stripe.com is up, and whether frontend can reach it: there is no recorded change to undo',
      'What broke: frontend has been unable to reach api.stripe.com since 11:55 UTC. No recorded change is likely enough to be named.',
      'or: Deploy sha=a4f2c1d to frontend rolled out 78 minutes before onset',
      '    → Compare errors and latency of frontend before and after deploy sha=a4f2c1d to frontend',
      '    + frontend has been unable to reach api.stripe.com since 11:55 UTC, which began after it',
      '    + frontend is the alerting service',
      '    − it came 78 minutes before onset: most causes show sooner',
    ],
  },
  {
    name: 'a host outside that cannot be reached, soon after a deploy',
    windows: [makeWindow('frontend', deploy(-400, 'a4f2c1d'), errors(-300, 'Post "https://api.stripe.com/v1": context deadline exceeded'))],
    says: [
      'external: frontend has been unable to reach api.stripe.com since 11:55 UTC; no recorded change explains it',
      '→ Check whether api.stripe.com is up, and whether frontend can reach it; if so, compare with before deploy sha=a4f2c1d to frontend',
      'What broke: frontend has been unable to reach api.stripe.com since 11:55 UTC. No recorded change is likely enough to be named.',
      'or: Deploy sha=a4f2c1d to frontend rolled out 2 minutes before onset',
      '    → Compare errors and latency of frontend before and after deploy sha=a4f2c1d to frontend',
      '    + frontend has been unable to reach api.stripe.com since 11:55 UTC, which began after it',
      '    + frontend is the alerting service',
      '    + it came 2 minutes before onset',
    ],
  },
  {
    name: 'a service of which a sender told the end of a rollout alone, minutes after its onset',
    windows: [
      makeWindow(
        'frontend',
        errors(-300, 'TypeError: x is undefined'),
        makeEntry(-120, 'deploy', { vendor: 'github', entity: 'frontend', newValue: 'succeeded', sha: 'a4f2c1d' }),
      ),
    ],
    says: [
      'unrecorded: frontend has reported errors since 11:55 UTC; no recorded change explains it',
      '→ Look at frontend: its logs and load, and whether deploy sha=a4f2c1d to frontend had begun before: it was reported 3 minutes later',
      'What broke: frontend has reported errors since 11:55 UTC. No recorded change is likely enough to be named.',
      'or: Deploy sha=a4f2c1d to frontend rolled out 3 minutes after onset',
      '    → Compare errors and latency of frontend before and after deploy sha=a4f2c1d to frontend: only its time connects it with the alert',
      '    + frontend is the alerting service',
      '    − nothing that fails is known to follow from it',
      '    − some of what fails at frontend began before it',
      '    − it came 3 minutes after onset',
    ],
  },
  {
    name: 'a host outside of which too much is asked',
    windows: [
      makeWindow('frontend', errors(-300, 'RateLimitError: 429 You exceeded your current quota (https://api.stripe.com/v1/charges)')),
    ],
    says: [
      'external: Calls from frontend to api.stripe.com have been refused since 11:55 UTC; no recorded change explains it',
      '→ Check how much frontend asks of api.stripe.com, and how much it may: there is no recorded change to undo',
      'What broke: calls from frontend to api.stripe.com have been refused since 11:55 UTC.',
    ],
  },
  {
    name: 'a host outside that refuses, long after a deploy',
    windows: [makeWindow('frontend', deploy(-5_000, 'a4f2c1d'), errors(-300, 'GET https://api.stripe.com/v1/charges: 403 Forbidden'))],
    says: [
      'external: Calls from frontend to api.stripe.com have been refused since 11:55 UTC; no recorded change explains it',
      '→ Check what frontend asks of api.stripe.com, and with which credentials: there is no recorded change to undo',
      'What broke: calls from frontend to api.stripe.com have been refused since 11:55 UTC. No recorded change is likely enough to be named.',
      'or: Deploy sha=a4f2c1d to frontend rolled out 78 minutes before onset',
      '    → Compare errors and latency of frontend before and after deploy sha=a4f2c1d to frontend',
      '    + calls from frontend to api.stripe.com have been refused since 11:55 UTC, which began after it',
      '    + frontend is the alerting service',
      '    − it came 78 minutes before onset: most causes show sooner',
    ],
  },
  {
    name: 'calls that fail, and nothing changed',
    windows: [makeWindow('checkout-api', failure(-200, 'payments-api')), makeWindow('frontend', failure(-180, 'checkout-api'))],
    says: [
      'unrecorded: Calls from checkout-api to payments-api have failed since 11:56 UTC; no recorded change explains it',
      '→ Look at payments-api: its logs and load, and changes that are not sent here',
      'What broke: calls from checkout-api to payments-api have failed since 11:56 UTC; calls from frontend to checkout-api have failed since 11:57 UTC.',
    ],
  },
  {
    name: 'pods evicted from a node under pressure',
    windows: [
      makeWindow('node-7', makeEntry(-95, 'saturation', { vendor: 'kubernetes', entity: 'node-7', newValue: 'NodeHasMemoryPressure' })),
      makeWindow('frontend', makeEntry(-80, 'restart', { vendor: 'kubernetes', entity: 'pod/web-1', newValue: 'Evicted' })),
    ],
    says: [
      'unrecorded: node-7 has been under strain (NodeHasMemoryPressure) since 11:58 UTC; no recorded change explains it',
      '→ Look at node-7: if it does not recover, cordon and drain it',
      'What broke: node-7 has been under strain (NodeHasMemoryPressure) since 11:58 UTC; pods of frontend have been evicted from node-7 since 11:58 UTC.',
    ],
  },
  {
    name: 'pods whose probes fail',
    windows: [
      makeWindow(
        'frontend',
        makeEntry(-80, 'dependency_failure', {
          vendor: 'kubernetes',
          entity: 'pod/web-1',
          newValue: 'probe_failure',
          count: 9,
          timestamp: later(60),
        }),
      ),
    ],
    says: [
      'unrecorded: frontend has been reported failing (probe_failure) since 11:58 UTC; no recorded change explains it',
      '→ Look at frontend: its logs and load, and changes that are not sent here',
      'What broke: frontend has been reported failing (probe_failure) since 11:58 UTC.',
    ],
  },
  {
    name: 'errors since the day before, and a change after them',
    windows: [makeWindow('frontend', errors(-50_000, 'EPIPE', { count: 9_000 }), deploy(-100, 'a4f2c1d'))],
    says: [
      'unrecorded: frontend has reported errors (EPIPE) since 2026-02-28 22:06 UTC; no recorded change explains it',
      '→ Look at frontend: its logs and load, and changes that are not sent here',
      'What broke: frontend has reported errors (EPIPE) since 2026-02-28 22:06 UTC. No recorded change is likely enough to be named.',
      'or: Deploy sha=a4f2c1d to frontend rolled out 14 hours after onset',
      '    → Compare errors and latency of frontend before and after deploy sha=a4f2c1d to frontend: only its time connects it with the alert',
      '    + frontend is the alerting service',
      '    − nothing that fails is known to follow from it',
      '    − some of what fails at frontend began before it',
      '    − it came 14 hours after onset',
    ],
  },
  {
    name: 'nothing that fails, and an old change',
    windows: [makeWindow('checkout-api', makeEntry(-36_000, 'scale_event', { entity: 'a name of words', newValue: '3' }))],
    says: [
      'inconclusive: Scaling of "a name of words" to 3 at checkout-api came 10 hours before the alert, but nothing is known to fail; no recorded change explains it so far',
      '→ Look at frontend itself: nothing on record tells what fails',
      'No failure was recorded where the alert leads.',
      'or: Scaling of "a name of words" to 3 at checkout-api took effect 10 hours before the alert',
      '    → Compare errors and latency of checkout-api before and after scaling of "a name of words" to 3 at checkout-api: only its time connects it with the alert',
      '    + frontend calls checkout-api',
      '    − nothing is known to fail',
      '    − it came 10 hours before the alert: most causes show sooner',
    ],
  },
  {
    name: 'nothing on record',
    windows: [],
    says: [
      'inconclusive: Nothing on record is connected with frontend; no recorded change explains it',
      '→ Look at frontend itself: nothing on record tells what fails',
      'No change and no failure was recorded where the alert leads.',
    ],
  },
  {
    name: 'only what nothing connects with the alert',
    windows: [makeWindow('kiosk', errors(-300, 'Out of range', { entity: 'kiosk' }))],
    rest: { graph: { edges: [] } },
    says: [
      'inconclusive: Nothing on record is connected with frontend; elsewhere, kiosk has reported errors since 11:55 UTC; no recorded change explains it',
      '→ Look at frontend itself: nothing on record tells what fails',
      'No change and no failure was recorded where the alert leads.',
    ],
  },
  {
    name: 'nothing on record, and no service',
    windows: [],
    rest: { alert: { ...SHOP.alert, service: null } },
    says: [
      'inconclusive: Nothing on record is connected with the alert; no recorded change explains it',
      'No event was recorded before the alert.',
    ],
  },
  {
    name: 'a change within a second of the alert, and another as late as clocks differ',
    windows: [
      makeWindow('ledger', makeEntry(-200_000, 'deploy', { entity: '', newValue: 'v3' })),
      makeWindow('search', makeEntry(20, 'schema_change', { entity: ' ' })),
    ],
    rest: { observedUntil: later(120) },
    says: [
      'inconclusive: Schema change on (blank) at search came at about the time of the alert, but nothing is known to fail; no recorded change explains it so far',
      '→ Compare errors and latency of search before and after schema change on (blank) at search: only its time connects it with the alert',
      'No failure was recorded where the alert leads.',
      'or: Schema change on (blank) at search took effect at about the time of the alert',
      '    → Compare errors and latency of search before and after schema change on (blank) at search: only its time connects it with the alert',
      '    + frontend calls search',
      '    − nothing is known to fail',
      '    − it came at about the time of the alert',
      'or: Deploy of v3 to ledger rolled out 2 days before the alert',
      '    → Compare errors and latency of ledger before and after deploy of v3 to ledger: only its time connects it with the alert',
      '    + frontend reaches ledger through checkout-api, then payments-api',
      '    − nothing is known to fail',
      '    − it came 2 days before the alert: most causes show sooner',
    ],
  },
  {
    name: 'a database below that broke by itself, soon after a deploy',
    windows: [
      makeWindow('frontend', deploy(-460, 'a4f2c1d'), errors(-100, 'connect ECONNREFUSED ledger:5432')),
      makeWindow('ledger', makeEntry(-120, 'restart', { vendor: 'postgres', newValue: 'failover' })),
    ],
    rest: { graph: { edges: [declareEdge('frontend', 'ledger')] } },
    says: [
      'unrecorded: ledger has been restarting (failover) since 11:58 UTC; no recorded change explains it',
      '→ Look at ledger: its logs and load, and compare with before deploy sha=a4f2c1d to frontend',
      'What broke: ledger has been restarting (failover) since 11:58 UTC; calls from frontend to ledger have failed since 11:58 UTC. No recorded change is likely enough to be named.',
      'or: Deploy sha=a4f2c1d to frontend rolled out 6 minutes before onset',
      '    → Compare errors and latency of frontend before and after deploy sha=a4f2c1d to frontend',
      '    + calls from frontend to ledger have failed since 11:58 UTC, which began after it',
      '    + ledger has been restarting (failover) since 11:58 UTC, which began after it',
      '    + frontend is the alerting service',
      '    + it came 6 minutes before onset',
    ],
  },
  {
    name: 'calls of one service to several that fail at once, one of which was deployed just before',
    windows: [
      makeWindow('frontend', failure(-62, 'search'), failure(-60, 'ads'), failure(-58, 'geo')),
      makeWindow('search', deploy(-100, 'a4f2c1d')),
    ],
    rest: { graph: { edges: ['search', 'ads', 'geo'].map((callee) => declareEdge('frontend', callee)) } },
    says: [
      'unrecorded: Calls from frontend to search, ads and geo have failed since 11:58 UTC; no recorded change explains it',
      '→ Look at what calls to search, ads and geo have in common: frontend itself, its network and nodes, and what all of them use; then compare with before deploy sha=a4f2c1d to search',
      'What broke: calls from frontend to search have failed since 11:58 UTC; calls from frontend to ads have failed since 11:59 UTC; calls from frontend to geo have failed since 11:59 UTC. No recorded change is likely enough to be named.',
      'or: Deploy sha=a4f2c1d to search rolled out 38 seconds before onset',
      '    → Compare errors and latency of search before and after deploy sha=a4f2c1d to search',
      '    + calls from frontend to search have failed since 11:58 UTC, which began after it',
      '    + frontend calls search',
      '    + it came 38 seconds before onset',
      '    − it does not explain all that fails',
    ],
  },
  {
    name: 'the same, with none deployed',
    windows: [makeWindow('frontend', failure(-62, 'search'), failure(-60, 'ads'), failure(-58, 'geo'))],
    rest: { graph: { edges: ['search', 'ads', 'geo'].map((callee) => declareEdge('frontend', callee)) } },
    says: [
      'unrecorded: Calls from frontend to search, ads and geo have failed since 11:58 UTC; no recorded change explains it',
      '→ Look at what calls to search, ads and geo have in common: frontend itself, its network and nodes, and what all of them use',
      'What broke: calls from frontend to search have failed since 11:58 UTC; calls from frontend to ads have failed since 11:59 UTC; calls from frontend to geo have failed since 11:59 UTC.',
    ],
  },
  {
    name: 'pods that no longer answer on a node that is not ready, and a deploy before that',
    windows: [
      makeWindow('/node-7', makeEntry(-120, 'dependency_failure', { vendor: 'kubernetes', entity: 'node-7', newValue: 'NodeNotReady' })),
      makeWindow(
        'frontend',
        deploy(-600, 'a4f2c1d'),
        makeEntry(-80, 'restart', { vendor: 'kubernetes', entity: 'web-1', newValue: 'probe_failure' }),
      ),
    ],
    says: [
      'unrecorded: node-7 has been reported failing (NodeNotReady) since 11:58 UTC; no recorded change explains it',
      '→ Look at node-7: if it does not recover, cordon and drain it',
      'What broke: node-7 has been reported failing (NodeNotReady) since 11:58 UTC; pods of frontend have failed on node-7 since 11:58 UTC. No recorded change is likely enough to be named.',
      'or: Deploy sha=a4f2c1d to frontend rolled out 8 minutes before onset',
      '    → Compare errors and latency of frontend before and after deploy sha=a4f2c1d to frontend',
      '    + pods of frontend have failed on node-7 since 11:58 UTC, which began after it',
      '    + node-7 has been reported failing (NodeNotReady) since 11:58 UTC, which began after it',
      '    + frontend is the alerting service',
      '    + it came 8 minutes before onset',
    ],
  },
  {
    name: 'pods whose probes fail, as their agent tells it',
    windows: [makeWindow('frontend', makeEntry(-80, 'restart', { vendor: 'kubernetes', entity: 'web-1', newValue: 'Unhealthy' }))],
    says: [
      'unrecorded: frontend has failed its health checks (Unhealthy) since 11:58 UTC; no recorded change explains it',
      '→ Look at frontend: its logs and load, and changes that are not sent here',
      'What broke: frontend has failed its health checks (Unhealthy) since 11:58 UTC.',
    ],
  },
  {
    name: 'replicas that an autoscaler added before calls failed',
    windows: [
      makeWindow(
        'checkout-api',
        makeEntry(-90, 'scale_event', { vendor: 'kubernetes', entity: 'checkout-hpa', oldValue: '3', newValue: '6' }),
      ),
      makeWindow('frontend', failure(-60, 'checkout-api', 'success=2%')),
    ],
    says: [
      'unrecorded: Calls from frontend to checkout-api have failed since 11:59 UTC; no recorded change explains it',
      '→ Look at checkout-api: its logs and load, and compare with before scaling of checkout-hpa from 3 to 6 at checkout-api',
      'What broke: calls from frontend to checkout-api have failed since 11:59 UTC. No recorded change is likely enough to be named.',
      'or: Scaling of checkout-hpa from 3 to 6 at checkout-api took effect 30 seconds before onset',
      '    → Compare errors and latency of checkout-api before and after scaling of checkout-hpa from 3 to 6 at checkout-api',
      '    + calls from frontend to checkout-api have failed since 11:59 UTC, which began after it',
      '    + frontend calls checkout-api',
      '    + it came 30 seconds before onset',
    ],
  },
  {
    name: 'a certificate that has expired',
    windows: [makeWindow('frontend', errors(-60, 'Get "https://search:8443/q": x509: certificate has expired'))],
    says: [
      'unrecorded: Calls from frontend to search have failed (expired) since 11:59 UTC; no recorded change explains it',
      '→ Renew what has expired at search, or what frontend shows it: what fails says which',
      'What broke: calls from frontend to search have failed (expired) since 11:59 UTC.',
    ],
  },
  {
    name: 'a certificate of its own that has expired',
    windows: [makeWindow('frontend', errors(-60, 'the certificate has expired'))],
    says: [
      'unrecorded: frontend has reported errors since 11:59 UTC; no recorded change explains it',
      '→ Renew what has expired at frontend: what fails says which',
      'What broke: frontend has reported errors since 11:59 UTC.',
    ],
  },
  {
    name: 'a volume that is full',
    windows: [makeWindow('frontend', makeEntry(-60, 'restart', { vendor: 'gojson', newValue: 'fatal: no space left on device' }))],
    says: [
      'unrecorded: frontend has run out of disk space since 11:59 UTC; no recorded change explains it',
      '→ Make room on the volume of frontend, and look at what fills it',
      'What broke: frontend has run out of disk space since 11:59 UTC.',
    ],
  },
  {
    name: 'a node that is drained',
    windows: [
      makeWindow('/node-7', makeEntry(-120, 'saturation', { vendor: 'kubernetes', entity: 'node-7', newValue: 'NodeNotSchedulable' })),
      makeWindow('frontend', makeEntry(-100, 'restart', { vendor: 'kubernetes', entity: 'web-1', newValue: 'Killing' })),
    ],
    says: [
      'unrecorded: node-7 has been closed to pods since 11:58 UTC; no recorded change explains it',
      '→ Look at who drains node-7, and whether what ran there has started elsewhere',
      'What broke: node-7 has been closed to pods since 11:58 UTC; pods of frontend have failed on node-7 since 11:58 UTC.',
    ],
  },
  {
    name: 'a certificate that was renewed as it was, before errors that do not speak of it',
    windows: [
      makeWindow(
        'frontend',
        makeEntry(-120, 'config_change', { vendor: 'cert-manager', entity: 'web-tls', oldValue: 'Ready', newValue: 'Ready' }),
        errors(-100, 'pool exhausted'),
      ),
    ],
    says: [
      'unrecorded: frontend has reported errors since 11:58 UTC; no recorded change explains it',
      '→ Look at frontend: its logs and load, and compare with before config change on web-tls (Ready) at frontend',
      'What broke: frontend has reported errors since 11:58 UTC. No recorded change is likely enough to be named.',
      'or: Config change on web-tls (Ready) at frontend was made without a change of its value 20 seconds before onset',
      '    → Compare errors and latency of frontend before and after config change on web-tls (Ready) at frontend',
      '    + frontend has reported errors since 11:58 UTC, which began after it',
      '    + frontend is the alerting service',
      '    + it came 20 seconds before onset',
    ],
  },
]
