import { callApi, defineVerb, JSON_FLAG, toJson, toPlain } from './api.ts'

/** Says that a service was deployed: what the door of CI takes, from a terminal. */
export const markDeploy = defineVerb({
  meta: { name: 'deploy', description: 'Say that a service was deployed (ingest key)' },
  args: {
    service: { type: 'string', description: 'Its name', required: true, valueHint: 'checkout' },
    sha: { type: 'string', description: 'Commit, tag or version', required: true, valueHint: 'a4f2c1' },
    environment: { type: 'string', description: 'Where; production by default' },
    status: { type: 'string', description: 'succeeded (the default), failed, started or rolled_back' },
    'previous-sha': { type: 'string', description: 'What it replaced' },
    by: { type: 'string', description: 'Who did it' },
    url: { type: 'string', description: 'Where it can be looked at' },
    key: { type: 'string', description: 'An Idempotency-Key: with the same one it counts once' },
    ...JSON_FLAG,
  },
  run: async ({ args }) => {
    const { service, sha, environment, status, by, url, key } = args
    const body = { service, sha, environment, status, previous_sha: args['previous-sha'], by, url }
    await callApi('/in/deploy', { method: 'POST', body, headers: key === undefined ? {} : { 'Idempotency-Key': key } })
    console.log(args.json ? toJson({ service, sha }) : `Noted: ${toPlain(service)} at ${toPlain(sha)}`)
  },
})
