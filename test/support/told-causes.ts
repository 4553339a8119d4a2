import { makeEntry, makeWindow } from './diagnosis.ts'
import { deploy, errors, failure, later, type ToldRow } from './told.ts'

const FLAG = makeEntry(-80, 'flag_change', { vendor: 'launchdarkly', entity: 'new-pay', oldValue: 'off', newValue: 'on' })

const ROUTE = makeEntry(-80, 'config_change', { vendor: 'istio', entity: 'virtualservice/frontend', newValue: 'weight v2 100' })

/** Answers that name a change, word by word. */
export const TOLD_CAUSES: readonly ToldRow[] = [
  {
    name: 'a deploy, the revision before it on record, and calls that fail after it',
    windows: [
      makeWindow('checkout-api', deploy(-7_200, 'f8b3e22'), deploy(-300, 'a4f2c1d')),
      makeWindow('frontend', failure(-60, 'checkout-api')),
    ],
    says: [
      'cause: Deploy sha=a4f2c1d to checkout-api rolled out 4 minutes before onset',
      '→ Roll back to sha=f8b3e22',
      'What broke: calls from frontend to checkout-api have failed since 11:59 UTC. For it: calls from frontend to checkout-api have failed since 11:59 UTC, which it can explain; frontend calls checkout-api; it came 4 minutes before onset.',
      'or: Deploy sha=f8b3e22 to checkout-api rolled out 119 minutes before onset',
      '    → Compare errors and latency of checkout-api before and after deploy sha=f8b3e22 to checkout-api',
      '    + calls from frontend to checkout-api have failed since 11:59 UTC, which it can explain',
      '    + frontend calls checkout-api',
      '    − it came 119 minutes before onset: most causes show sooner',
      '    − what it may explain goes on without it',
    ],
  },
  {
    name: 'a deploy that another one replaced',
    windows: [
      makeWindow(
        'frontend',
        deploy(-900, 'a4f2c1d'),
        errors(-880, 'TypeError: x is undefined', { timestamp: later(-425) }),
        deploy(-430, 'f8b3e22'),
      ),
    ],
    says: [
      'cause: Deploy sha=a4f2c1d to frontend rolled out 20 seconds before onset',
      '→ Watch whether what failed ends: deploy sha=f8b3e22 to frontend replaced it 7 minutes before the alert',
      'What broke: frontend has reported errors since 11:45 UTC. For it: frontend has reported errors since 11:45 UTC, which it can explain; frontend is the alerting service; it came 20 seconds before onset.',
      'or: Deploy sha=f8b3e22 to frontend rolled out 8 minutes after onset',
      '    → Compare errors and latency of frontend before and after deploy sha=f8b3e22 to frontend: only its time connects it with the alert',
      '    + frontend is the alerting service',
      '    − nothing that fails is known to follow from it',
      '    − it came 8 minutes after onset',
    ],
  },
  {
    name: 'a deploy that another one replaced three minutes ago, which did not help',
    windows: [
      makeWindow(
        'frontend',
        ...[deploy(-7_200, '0ddba11a'), deploy(-900, 'a4f2c1d'), deploy(-100, 'f8b3e22')],
        errors(-880, 'TypeError: x is undefined'),
      ),
    ],
    says: [
      'cause: Deploy sha=a4f2c1d to frontend rolled out 20 seconds before onset',
      '→ Roll back to sha=0ddba11a, as it was before both: deploy sha=f8b3e22 to frontend replaced it 2 minutes before the alert, and did not end what failed',
      'What broke: frontend has reported errors since 11:45 UTC. For it: frontend has reported errors since 11:45 UTC, which it can explain; frontend is the alerting service; it came 20 seconds before onset.',
      'or: Deploy sha=0ddba11a to frontend rolled out 105 minutes before onset',
      '    → Compare errors and latency of frontend before and after deploy sha=0ddba11a to frontend',
      '    + frontend has reported errors since 11:45 UTC, which it can explain',
      '    + frontend is the alerting service',
      '    − it came 105 minutes before onset: most causes show sooner',
      'or: Deploy sha=f8b3e22 to frontend rolled out 13 minutes after onset',
      '    → Compare errors and latency of frontend before and after deploy sha=f8b3e22 to frontend: only its time connects it with the alert',
      '    + frontend is the alerting service',
      '    − nothing that fails is known to follow from it',
      '    − some of what fails at frontend began before it',
      '    − it came 13 minutes after onset',
    ],
  },
  {
    name: 'a deploy that another one replaced, and errors that go on',
    windows: [makeWindow('frontend', deploy(-900, 'a4f2c1d'), errors(-880, 'TypeError: x is undefined'), deploy(-430, 'f8b3e22'))],
    says: [
      'suspect: Deploy sha=a4f2c1d to frontend rolled out 20 seconds before onset',
      '→ Check whether deploy sha=f8b3e22 to frontend, which replaced it 7 minutes before the alert, still contains what it changed: what failed goes on',
      'What broke: frontend has reported errors since 11:45 UTC. For it: frontend has reported errors since 11:45 UTC, which it can explain; frontend is the alerting service; it came 20 seconds before onset. Against it: what it may explain goes on without it.',
      'or: Deploy sha=f8b3e22 to frontend rolled out 8 minutes after onset',
      '    → Compare errors and latency of frontend before and after deploy sha=f8b3e22 to frontend: only its time connects it with the alert',
      '    + frontend is the alerting service',
      '    − nothing that fails is known to follow from it',
      '    − some of what fails at frontend began before it',
      '    − it came 8 minutes after onset',
    ],
  },
  {
    name: 'a deploy that tells what it replaced, of the alerting service, and its own errors',
    windows: [makeWindow('frontend', deploy(-120, 'a4f2c1d', { oldValue: 'v1.8.2' }), errors(-90, 'TypeError: x is undefined'))],
    says: [
      'cause: Deploy sha=a4f2c1d to frontend rolled out 30 seconds before onset',
      '→ Roll back to v1.8.2',
      'What broke: frontend has reported errors since 11:58 UTC. For it: frontend has reported errors since 11:58 UTC, which it can explain; frontend is the alerting service; it came 30 seconds before onset.',
    ],
  },
  {
    name: 'a deploy without a revision, two hops away, as the trouble begins',
    windows: [makeWindow('payments-api', makeEntry(-60, 'deploy')), makeWindow('checkout-api', failure(-60, 'payments-api'))],
    says: [
      'cause: Deploy to payments-api rolled out at onset',
      '→ Roll back payments-api to the previous revision',
      'What broke: calls from checkout-api to payments-api have failed since 11:59 UTC. For it: calls from checkout-api to payments-api have failed since 11:59 UTC, which it can explain; frontend reaches payments-api through checkout-api; it came at onset.',
    ],
  },
  {
    name: 'a version three hops away, and a saturated store beside it',
    windows: [
      makeWindow(
        'ledger',
        makeEntry(-200, 'deploy', { newValue: 'v2.1.0' }),
        makeEntry(-150, 'saturation', { vendor: 'postgres', newValue: 'connection_limit_reached' }),
      ),
      makeWindow('payments-api', failure(-140, 'ledger')),
    ],
    says: [
      'cause: Deploy of v2.1.0 to ledger rolled out 50 seconds before onset',
      '→ Roll back ledger to the previous revision',
      'What broke: ledger has been under strain (connection_limit_reached) since 11:57 UTC; calls from payments-api to ledger have failed since 11:57 UTC. For it: calls from payments-api to ledger have failed since 11:57 UTC, which it can explain; ledger has been under strain (connection_limit_reached) since 11:57 UTC, which it can explain; frontend reaches ledger through checkout-api, then payments-api; it came 50 seconds before onset.',
    ],
  },
  {
    name: 'a deploy and the migration that it ran',
    windows: [
      makeWindow(
        'frontend',
        deploy(-120, 'a4f2c1d'),
        makeEntry(-110, 'schema_change', { vendor: 'flyway', entity: 'shop.carts', newValue: 'V42' }),
        errors(-90, 'column carts.locale does not exist'),
      ),
    ],
    says: [
      'cause: Deploy sha=a4f2c1d to frontend rolled out 30 seconds before onset, and with it schema change on shop.carts (V42) at frontend',
      '→ Roll back frontend to the previous revision; then check the schema change on shop.carts of frontend, and revert it or fix it forward',
      'What broke: frontend has reported errors since 11:58 UTC. For it: frontend has reported errors since 11:58 UTC, which it can explain; frontend is the alerting service; it came 30 seconds before onset.',
      'or: Schema change on shop.carts (V42) at frontend took effect 20 seconds before onset',
      '    → Compare errors and latency of frontend before and after schema change on shop.carts (V42) at frontend',
      '    + frontend has reported errors since 11:58 UTC, which it can explain',
      '    + frontend is the alerting service',
      '    + it came 20 seconds before onset',
    ],
  },
  {
    name: 'settings of another that name the service',
    windows: [
      makeWindow('istio', ROUTE),
      makeWindow('frontend', { ...ROUTE, joinedBy: 'namespaced_name' }, errors(-50, 'no healthy upstream')),
    ],
    says: [
      'cause: Config change on virtualservice/frontend at istio took effect 30 seconds before onset',
      '→ Check virtualservice/frontend of istio and revert its config change',
      'What broke: frontend has reported errors since 11:59 UTC. For it: frontend has reported errors since 11:59 UTC, which it can explain; it came 30 seconds before onset; virtualservice/frontend is of frontend. Against it: frontend has no recorded call path to istio.',
    ],
  },
  {
    name: 'a flag, its former value, and an open circuit',
    windows: [
      makeWindow('checkout-api', makeEntry(-80, 'flag_change', { entity: 'new-pay', oldValue: 'off', newValue: 'on' })),
      makeWindow('frontend', makeEntry(-50, 'circuit_open', { vendor: 'istio', entity: 'checkout-api' })),
    ],
    says: [
      'cause: Flag change of new-pay to on at checkout-api took effect 30 seconds before onset',
      '→ Set flag new-pay back to off',
      'What broke: calls from frontend to checkout-api have failed since 11:59 UTC. For it: calls from frontend to checkout-api have failed since 11:59 UTC, which it can explain; frontend calls checkout-api; it came 30 seconds before onset.',
    ],
  },
  {
    name: 'a flag whose values are not to be told, named by failures elsewhere',
    windows: [
      makeWindow('flag-service', makeEntry(-80, 'flag_change', { entity: 'newPricingEngine', newValue: 'two words' })),
      makeWindow('frontend', errors(-50, 'panic: newPricingEngine=on')),
    ],
    says: [
      'cause: Flag change of newPricingEngine at flag-service took effect 30 seconds before onset',
      '→ Set flag newPricingEngine back to its former value',
      'What broke: frontend has reported errors since 11:59 UTC. For it: frontend has reported errors since 11:59 UTC, which it can explain; it came 30 seconds before onset; failures of frontend name newPricingEngine. Against it: frontend has no recorded call path to flag-service.',
    ],
  },
  {
    name: 'a flag, changed at its own service, of those who evaluate it',
    windows: [
      makeWindow('launchdarkly', FLAG),
      makeWindow('unrelated', { ...FLAG, joinedBy: 'evaluates' }),
      makeWindow(
        'checkout-api',
        { ...FLAG, joinedBy: 'evaluates' },
        makeEntry(-70, 'flag_change', { vendor: 'openfeature', entity: 'new-pay', newValue: 'treatment', confidence: 0.6 }),
      ),
      makeWindow('frontend', makeEntry(-50, 'circuit_open', { vendor: 'istio', entity: 'checkout-api' })),
    ],
    says: [
      'cause: Flag change of new-pay to on at checkout-api took effect 30 seconds before onset',
      '→ Set flag new-pay back to off',
      'What broke: calls from frontend to checkout-api have failed since 11:59 UTC. For it: calls from frontend to checkout-api have failed since 11:59 UTC, which it can explain; frontend calls checkout-api; it came 30 seconds before onset; checkout-api evaluates new-pay.',
    ],
  },
  {
    name: 'a flag that was set back',
    windows: [
      makeWindow(
        'frontend',
        makeEntry(-150, 'flag_change', { entity: 'new-pay', oldValue: 'off', newValue: 'on' }),
        makeEntry(-30, 'flag_change', { entity: 'new-pay', oldValue: 'on', newValue: 'off' }),
        errors(-120, 'TypeError: x'),
      ),
    ],
    says: [
      'cause: Flag change of new-pay to on at frontend took effect 30 seconds before onset',
      '→ Make sure that setting new-pay of frontend back has taken effect',
      'What broke: frontend has reported errors since 11:58 UTC. For it: frontend has reported errors since 11:58 UTC, which it can explain; frontend is the alerting service; it came 30 seconds before onset.',
      'not: Flag change of new-pay to off at frontend undid an earlier change after the trouble had begun',
    ],
  },
  {
    name: 'a deploy that was rolled back, and pods that restarted',
    windows: [
      makeWindow(
        'frontend',
        deploy(-9_000, 'f8b3e22', { entity: 'web' }),
        deploy(-200, 'a4f2c1d', { entity: 'web' }),
        deploy(-20, 'f8b3e22', { entity: 'web', oldValue: 'a4f2c1d' }),
        makeEntry(-120, 'restart', {
          vendor: 'kubernetes',
          entity: 'pod/web-1',
          newValue: 'CrashLoopBackOff',
          count: 3,
          timestamp: later(60),
        }),
      ),
    ],
    says: [
      'cause: Deploy sha=a4f2c1d to frontend rolled out 80 seconds before onset',
      '→ Make sure that the rollback of frontend has taken effect',
      'What broke: frontend has been restarting (CrashLoopBackOff) since 11:58 UTC. For it: frontend has been restarting (CrashLoopBackOff) since 11:58 UTC, which it can explain; frontend is the alerting service; it came 80 seconds before onset.',
      'or: Deploy sha=f8b3e22 to frontend rolled out 2 hours before onset',
      '    → Compare errors and latency of frontend before and after deploy sha=f8b3e22 to frontend',
      '    + frontend has been restarting (CrashLoopBackOff) since 11:58 UTC, which it can explain',
      '    + frontend is the alerting service',
      '    − it came 2 hours before onset: most causes show sooner',
      'not: Deploy sha=f8b3e22 to frontend undid an earlier change after the trouble had begun',
    ],
  },
  {
    name: 'a change of settings, an open circuit of nobody, and an unhealthy application',
    windows: [
      makeWindow(
        'frontend',
        makeEntry(-100, 'config_change', { vendor: 'terraform', entity: 'web.limits', newValue: 'rev-7' }),
        makeEntry(-40, 'deploy', { entity: 'frontend', newValue: 'health:Degraded' }),
        makeEntry(-30, 'circuit_open', { vendor: 'resilience4j', entity: 'bulkhead' }),
      ),
    ],
    says: [
      'cause: Config change on web.limits (rev-7) at frontend took effect 60 seconds before onset',
      '→ Check web.limits of frontend and revert its config change',
      'What broke: frontend has been reported unhealthy (health:Degraded) since 11:59 UTC; frontend has had an open circuit since 11:59 UTC. For it: frontend has had an open circuit since 11:59 UTC, which it can explain; frontend has been reported unhealthy (health:Degraded) since 11:59 UTC, which it can explain; frontend is the alerting service; it came 60 seconds before onset.',
    ],
  },
  {
    name: 'a change of a schema, a nested one of its tables saturated',
    windows: [
      makeWindow('ledger', makeEntry(-100, 'schema_change', { vendor: 'postgres', entity: 'books.entries' })),
      makeWindow('payments-api', failure(-40, 'ledger')),
    ],
    says: [
      'cause: Schema change on books.entries at ledger took effect 60 seconds before onset',
      '→ Check the schema change on books.entries of ledger, and revert it or fix it forward',
      'What broke: calls from payments-api to ledger have failed since 11:59 UTC. For it: calls from payments-api to ledger have failed since 11:59 UTC, which it can explain; frontend reaches ledger through checkout-api, then payments-api; it came 60 seconds before onset.',
    ],
  },
  {
    name: 'replicas taken away, as was confirmed before',
    windows: [
      makeWindow(
        'checkout-api',
        makeEntry(-70, 'scale_event', { vendor: 'kubernetes', entity: 'deployment/checkout', oldValue: '5', newValue: '1' }),
      ),
      makeWindow('frontend', failure(-60, 'checkout-api', 'success=2%')),
    ],
    rest: {
      patterns: [
        { service: 'checkout-api', vendor: 'kubernetes', eventType: 'scale_event', valueClass: '#', similarity: 0.9, verdict: 'confirmed' },
      ],
    },
    says: [
      'cause: Scaling of deployment/checkout from 5 to 1 at checkout-api took effect 10 seconds before onset',
      '→ Scale deployment/checkout of checkout-api back to 5',
      'What broke: calls from frontend to checkout-api have failed since 11:59 UTC. For it: calls from frontend to checkout-api have failed since 11:59 UTC, which it can explain; frontend calls checkout-api; it came 10 seconds before onset; a similar diagnosis was confirmed.',
    ],
  },
  {
    name: 'replicas that an autoscaler took away before calls failed',
    windows: [
      makeWindow(
        'checkout-api',
        makeEntry(-90, 'scale_event', { vendor: 'kubernetes', entity: 'checkout-hpa', oldValue: '12', newValue: '2' }),
      ),
      makeWindow('frontend', failure(-60, 'checkout-api', 'success=2%')),
    ],
    says: [
      'cause: Scaling of checkout-hpa from 12 to 2 at checkout-api took effect 30 seconds before onset',
      '→ Raise the minimum of checkout-hpa: it took checkout-api from 12 to 2 replicas',
      'What broke: calls from frontend to checkout-api have failed since 11:59 UTC. For it: calls from frontend to checkout-api have failed since 11:59 UTC, which it can explain; frontend calls checkout-api; it came 30 seconds before onset.',
    ],
  },
  {
    name: 'a sync that failed half-way',
    windows: [
      makeWindow(
        'frontend',
        deploy(-120, 'a4f2c1d'),
        makeEntry(-110, 'scale_event', { vendor: 'kubernetes' }),
        deploy(-100, 'a4f2c1d', { newValue: 'failed' }),
        errors(-95, 'TypeError: x'),
      ),
    ],
    says: [
      'cause: Deploy sha=a4f2c1d to frontend rolled out in part 25 seconds before onset',
      '→ Roll back frontend to the previous revision',
      'What broke: frontend has reported errors since 11:58 UTC. For it: frontend has reported errors since 11:58 UTC, which it can explain; frontend is the alerting service; it came 25 seconds before onset.',
    ],
  },
  {
    name: 'a change of the node that pods were evicted from',
    windows: [
      makeWindow(
        'node-7',
        makeEntry(-120, 'config_change', { vendor: 'ansible', entity: 'kubelet' }),
        makeEntry(-95, 'saturation', { vendor: 'kubernetes', entity: 'node-7', newValue: 'NodeHasMemoryPressure' }),
      ),
      makeWindow('frontend', makeEntry(-80, 'restart', { vendor: 'kubernetes', entity: 'pod/web-1', newValue: 'Evicted' })),
    ],
    says: [
      'cause: Config change on kubelet at node-7 took effect 25 seconds before onset',
      '→ Check kubelet of node-7 and revert its config change',
      'What broke: node-7 has been under strain (NodeHasMemoryPressure) since 11:58 UTC; pods of frontend have been evicted from node-7 since 11:58 UTC. For it: pods of frontend have been evicted from node-7 since 11:58 UTC, which it can explain; node-7 has been under strain (NodeHasMemoryPressure) since 11:58 UTC, which it can explain; pods of frontend ran on node-7; it came 25 seconds before onset.',
    ],
  },
  {
    name: 'a secret of the service, changed elsewhere, and access that is denied',
    windows: [
      makeWindow('vault', makeEntry(-80, 'config_change', { vendor: 'vault', entity: 'secret/frontend/db-password' })),
      makeWindow('frontend', errors(-50, 'password authentication failed for user "shop"')),
    ],
    says: [
      'cause: Config change on secret/frontend/db-password at vault took effect 30 seconds before onset',
      '→ Restore the previous value of secret/frontend/db-password at vault',
      'What broke: frontend has reported errors since 11:59 UTC. For it: frontend has reported errors since 11:59 UTC, which it can explain; it came 30 seconds before onset; secret/frontend/db-password is of frontend; what fails is denied access, which it is about. Against it: frontend has no recorded call path to vault.',
    ],
  },
  {
    name: 'a role of the service, changed elsewhere, and access that is denied',
    windows: [
      makeWindow('iam', makeEntry(-80, 'config_change', { vendor: 'terraform', entity: 'role/frontend-s3-access' })),
      makeWindow('frontend', errors(-50, 'AccessDenied: not authorized to perform: s3:GetObject')),
    ],
    says: [
      'cause: Config change on role/frontend-s3-access at iam took effect 30 seconds before onset',
      '→ Grant again what role/frontend-s3-access allowed before at iam',
      'What broke: frontend has reported errors since 11:59 UTC. For it: frontend has reported errors since 11:59 UTC, which it can explain; it came 30 seconds before onset; role/frontend-s3-access is of frontend; what fails is denied access, which it is about. Against it: frontend has no recorded call path to iam.',
    ],
  },
  {
    name: 'replicas that somebody took away, of how many is not known',
    windows: [
      makeWindow(
        'frontend',
        makeEntry(-80, 'scale_event', { vendor: 'kubernetes', entity: 'web', newValue: '2', actor: 'ann' }),
        errors(-50, 'no capacity'),
      ),
    ],
    says: [
      'cause: Scaling of web to 2 at frontend took effect 30 seconds before onset',
      '→ Check whether web of frontend has replicas enough',
      'What broke: frontend has reported errors since 11:59 UTC. For it: frontend has reported errors since 11:59 UTC, which it can explain; frontend is the alerting service; it came 30 seconds before onset.',
    ],
  },
  {
    name: 'a column that a migration took away, and failures name',
    windows: [
      makeWindow('shop-db', makeEntry(-90, 'schema_change', { vendor: 'flyway', entity: 'orders', newValue: '58: drop column discount' })),
      makeWindow('frontend', errors(-80, 'ERROR: column "discount" does not exist')),
    ],
    says: [
      'cause: Schema change on orders at shop-db took effect 10 seconds before onset',
      '→ Check the schema change on orders of shop-db, and revert it or fix it forward',
      'What broke: frontend has reported errors since 11:58 UTC. For it: frontend has reported errors since 11:58 UTC, which it can explain; it came 10 seconds before onset; failures of frontend name what it changed. Against it: frontend has no recorded call path to shop-db.',
    ],
  },
  {
    name: 'a network policy, and calls that time out',
    windows: [
      makeWindow(
        'shop',
        makeEntry(-90, 'config_change', { vendor: 'kubernetes', entity: 'networkpolicy/default-deny', newValue: 'applied' }),
      ),
      makeWindow('frontend', errors(-60, 'Get "http://search:8080/q": i/o timeout')),
    ],
    says: [
      'cause: Config change on networkpolicy/default-deny (applied) at shop took effect 30 seconds before onset',
      '→ Check networkpolicy/default-deny of shop and revert its config change',
      'What broke: calls from frontend to search have failed since 11:59 UTC. For it: calls from frontend to search have failed since 11:59 UTC, which it can explain; it came 30 seconds before onset; calls went unanswered, as where a network forbids them. Against it: frontend has no recorded call path to shop.',
    ],
  },
]
