import { createApp } from './app.ts'
import { readConfig } from './config.ts'
import { createDeps } from './deps.ts'
import { describeApi } from './http/openapi.ts'

/** The API's description, as JSON, of an app that has no store to ask. */
export function writeApiDescription(): string {
  const config = readConfig({
    DATABASE_URL: 'postgres://nobody@localhost/none',
    UPSTASH_REDIS_REST_URL: 'http://localhost',
    UPSTASH_REDIS_REST_TOKEN: 'none',
  })
  return JSON.stringify(describeApi(createApp({ ...createDeps(config), log: () => {} })))
}
