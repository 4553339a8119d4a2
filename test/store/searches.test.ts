import { expect, test } from 'vitest'
import { searchAll } from '../../src/store/searches.ts'
import { createTestTenant, makeEvent, startApp } from '../support/app.ts'

const app = startApp()

test('a search finds services, titles, shas, flags and people of the tenant alone', async () => {
  const [tenant, other] = [await createTestTenant(app), await createTestTenant(app)]
  const events = [
    makeEvent({ service_name: 'payment-service', entity: 'payment-service', sha: 'Beef1234', actor: 'Paula' }),
    makeEvent({ service_name: 'repay_worker', entity: 'repay_worker', sha: 'cafe5678', actor: 'deploy-bot' }),
    makeEvent({
      service_name: 'flagd',
      vendor: 'flagd',
      event_type: 'flag_change',
      entity: 'payLater%Button',
      new_value: 'off',
      sha: undefined,
    }),
    makeEvent({ service_name: 'prod/payment-service-5m7v8f7s8-bl6kl', vendor: 'kubernetes', event_type: 'restart', entity: 'x' }),
  ]
  await app.request('/v1/events/batch', { key: tenant.ingestKey, body: events })
  const body = { service: 'repay_worker', title: 'Payments fail' }
  await app.request('/v1/incidents', { key: tenant.readonlyKey, body })
  const search = (text: string, { tenantId } = tenant) => searchAll(app.deps.db, tenantId, text, new Date(0))
  const names = async (text: string) => {
    const { services, incidents, changes, actors } = await search(text)
    return [
      services.map(({ name }) => name),
      incidents.map(({ title }) => title),
      changes.map(({ entity }) => entity),
      actors.map(({ name }) => name),
    ]
  }

  const [services, incidents, changes, actors] = await names('PAY')
  expect(services).toEqual(['payment-service', 'repay_worker'])
  expect(incidents).toEqual(['Payments fail'])
  expect(changes?.slice(0, 2).toSorted()).toEqual(['payLater%Button', 'payment-service'])
  expect(actors).toEqual([])
  expect((await names('payment service'))[0]).toEqual(['payment-service'])
  expect((await names('fail worker  paym'))[1]).toEqual(['Payments fail'])
  expect((await names('fail checkout'))[1]).toEqual([])
  for (const sha of ['beef12', 'BEEF1234', 'beef1234aaaabbbbccccddddeeeeffff00001111'])
    expect([sha, (await names(sha))[2]]).toEqual([sha, ['payment-service']])
  expect((await names('beef1235aaaabbbbccccddddeeeeffff00001111'))[2]).toEqual([])
  expect(await names('beef')).toEqual([[], [], ['payment-service'], []])
  expect(await names('paula')).toEqual([[], [], [], ['Paula']])
  expect(await names('paylater%b')).toEqual([[], [], ['payLater%Button'], []])
  expect(await names('%')).toEqual([[], [], [], []])
  expect(await search('pay', other)).toEqual({ services: [], incidents: [], changes: [], actors: [] })
})
