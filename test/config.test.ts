import { expect, test } from 'vitest'
import { ConfigError, readConfig } from '../src/config.ts'

const bindings = { DATABASE_URL: 'postgres://a:b@c/d', UPSTASH_REDIS_REST_URL: 'https://redis', UPSTASH_REDIS_REST_TOKEN: 'token' }

test.each([
  ['none', {}, { kind: 'none' }],
  [
    'an endpoint',
    { LLM_BASE_URL: 'https://llm.example/v1/', LLM_MODEL: 'm', LLM_API_KEY: 'k' },
    { kind: 'endpoint', endpoint: { baseUrl: 'https://llm.example/v1', apiKey: 'k', model: 'm' } },
  ],
  [
    'an endpoint without a key',
    { LLM_BASE_URL: 'http://127.0.0.1:11434/v1', LLM_MODEL: 'm' },
    { kind: 'endpoint', endpoint: { apiKey: undefined } },
  ],
  ['Workers AI', { AI: { run: async () => ({}) } }, { kind: 'workers_ai', model: expect.stringMatching(/^@cf\//) }],
  ['Workers AI with a model of choice', { AI: { run: async () => ({}) }, LLM_MODEL: '@cf/m' }, { kind: 'workers_ai', model: '@cf/m' }],
])('the language model: %s', (_name, fields, model) => {
  expect(readConfig({ ...bindings, ...fields }).model).toMatchObject(model)
})

test('an endpoint needs to know which model', () => {
  expect(() => readConfig({ ...bindings, LLM_BASE_URL: 'https://llm.example/v1' })).toThrow('LLM_MODEL')
})

test('the deadlines keep what is promised: an answer without Redis within a second, without Postgres within five', () => {
  const { database, redis } = readConfig(bindings)
  expect(redis.timeoutMs).toBeLessThanOrEqual(500)
  // An event is one request; the routes that make two, one after the other, are reads.
  expect(database.timeoutMs).toBeLessThanOrEqual(2_400)
})

test.each([
  ['acme', 'https://acme.cloudflareaccess.com'],
  ['https://login.acme.example/', 'https://login.acme.example'],
  ['http://127.0.0.1:9000', 'http://127.0.0.1:9000'],
])('Access by %s is %s', (team, origin) => {
  expect(readConfig({ ...bindings, ACCESS_TEAM: team, ACCESS_AUD: 'aud' }).access).toEqual({ origin, audience: 'aud' })
})

test.each(Object.keys(bindings))('a missing %s is named', (name) => {
  expect(() => readConfig({ ...bindings, [name]: '' })).toThrow(name)
})

test.each([
  ['a pasted psql command', { DATABASE_URL: "psql 'postgresql://a:secret@c/d'" }, [/DATABASE_URL is a psql command/]],
  ['quotes', { DATABASE_URL: "'postgresql://a:secret@c/d'" }, [/DATABASE_URL has quotes/]],
  ['a line break', { DATABASE_URL: 'postgresql://a:secret@c/d\n' }, [/DATABASE_URL has quotes or blanks/]],
  ['no scheme', { DATABASE_URL: 'a:secret@c/d' }, [/DATABASE_URL has no scheme/]],
  ['no database', { DATABASE_URL: 'postgresql://a:secret@c' }, [/DATABASE_URL is not whole/]],
  ['no user', { DATABASE_URL: 'postgresql://c/secret' }, [/DATABASE_URL is not whole/]],
  ['the other protocol', { UPSTASH_REDIS_REST_URL: 'rediss://default:secret@c:6379' }, [/UPSTASH_REDIS_REST_URL is the address/]],
  ['a host alone', { UPSTASH_REDIS_REST_URL: 'eu1.upstash.io' }, [/UPSTASH_REDIS_REST_URL is no URL/]],
  ['a token with a quote after it', { UPSTASH_REDIS_REST_TOKEN: 'secret"' }, [/UPSTASH_REDIS_REST_TOKEN has quotes/]],
  ['a key where an address goes', { LLM_BASE_URL: 'sk-secret"', LLM_MODEL: 'm' }, [/LLM_BASE_URL must be a URL/]],
  [
    'several wrong beside what is missing',
    { DATABASE_URL: '', SLACK_API_URL: 'x', ACCESS_TEAM: 'acme', AUDIT_DAYS: '7', LLM_BASE_URL: 'https://llm.example/v1' },
    [/DATABASE_URL is not set/, /SLACK_API_URL must be a URL/, /AUDIT_DAYS must be/, /ACCESS_TEAM and ACCESS_AUD/, /LLM_MODEL is not set/],
  ],
  ['a quoted token', { UPSTASH_REDIS_REST_TOKEN: '"secret"' }, [/UPSTASH_REDIS_REST_TOKEN has quotes/]],
  ['half of Access', { ACCESS_TEAM: 'acme' }, [/ACCESS_TEAM and ACCESS_AUD go together/]],
  ['a team in the clear', { ACCESS_TEAM: 'http://acme.example', ACCESS_AUD: 'a' }, [/ACCESS_TEAM must be a team's name/]],
  ['a path in an origin', { CORS_ORIGINS: 'https://ops.example.com/x' }, [/CORS_ORIGINS holds/]],
  [
    'several at once',
    { DATABASE_URL: '', UPSTASH_REDIS_REST_URL: 'x', CORS_ORIGINS: 'y z', PUBLIC_URL: 'secretless' },
    [/DATABASE_URL is not set/, /UPSTASH_REDIS_REST_URL is no URL/, /"y"/, /"z"/, /PUBLIC_URL must be a URL/],
  ],
])('a deployment with %s is told each in a sentence that quotes no secret', (_name, fields, sentences) => {
  let problems: readonly string[] = []
  try {
    readConfig({ ...bindings, ...fields })
  } catch (error) {
    if (error instanceof ConfigError) problems = error.problems
  }
  expect(problems).toEqual(sentences.map((sentence) => expect.stringMatching(sentence)))
  expect(problems.join(' ')).not.toMatch(/secret[@"']/)
})

test.each(['COUNTS_DAYS', 'AUDIT_DAYS', 'SILENT_SERVICE_DAYS', 'INCIDENT_DAYS', 'SNAPSHOT_DAYS'])(
  '%s is a century at most: before that no store has a date',
  (name) => {
    expect(() => readConfig({ ...bindings, [name]: '36501' })).toThrow(`${name} must be a whole number above`)
    expect(() => readConfig({ ...bindings, [name]: '36500' })).not.toThrow()
  },
)

test.each(['0', '-1', '1.5', 'many', '1e3', '0x10', '+5', '99999999999'])('SWEEP_REQUESTS of %s is refused', (text) => {
  expect(() => readConfig({ ...bindings, SWEEP_REQUESTS: text })).toThrow('SWEEP_REQUESTS')
  expect(readConfig(bindings).sweepRequests).toBe(5_000)
  expect(readConfig(bindings).pagerDuty.url).toBe('https://api.pagerduty.com')
  expect(readConfig({ ...bindings, SWEEP_REQUESTS: '40' }).sweepRequests).toBe(40)
})
