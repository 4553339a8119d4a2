import type { BatchDatabase, Keeping, Room } from '../deps.ts'
import { AppError, nameOf } from '../domain/errors.ts'
import { nearestNames } from '../domain/event/nearest-name.ts'
import { toKeptName, toKeptTitle } from '../domain/event/redact.ts'
import { tooManyServices } from '../domain/event/service-name.ts'
import { type IncidentId, type TenantId, toId } from '../domain/ids.ts'
import { type Question, receiveQuestion } from '../store/alerts.ts'
import type { Trail } from '../store/audit.ts'
import { isDatabaseUnavailable } from '../store/database-error.ts'
import { toDiagnosis } from '../store/incident-work.ts'
import { getIncident, type IncidentDetail, type KnownSnapshot } from '../store/incidents.ts'
import { listServices } from '../store/services.ts'
import { announceWork, type WorkDeps, workOn } from './work-on-incident.ts'

type AskDeps = WorkDeps & BatchDatabase & Keeping & Room

const MAX_NEAREST = 5

/**
 * Diagnoses a service because someone asks, without a pager, and returns the incident as it was asked. Throws `not_found` for a
 * service that nobody heard of, and `conflict` where there is no room to open it. Once the question is stored nothing is thrown, so that nobody asks twice: what fails half-way
 * is finished by the cron.
 */
export async function diagnoseNow(deps: AskDeps, tenantId: TenantId, question: Question, trail: Trail): Promise<IncidentDetail> {
  const { asked, work } = await open(deps, tenantId, question, trail)
  await work
  return asked
}

async function open(deps: AskDeps, tenantId: TenantId, question: Question, trail: Trail) {
  const incidentId = toId<IncidentId>(deps.newUuid())
  const lease = deps.newUuid()
  const title = toKeptTitle(question.title, deps.keeping)
  const serviceName = toKeptName(question.serviceName, deps.keeping)
  const environment = question.environment && toKeptName(question.environment, deps.keeping)
  const store = () =>
    receiveQuestion(
      deps.db,
      tenantId,
      incidentId,
      { ...question, title, serviceName, environment, maxServices: deps.maxServices },
      lease,
      trail,
    )
  const [asked] = await Promise.all([storeOrRepeat(store).catch((error) => refuse(deps, tenantId, question, error)), announceWork(deps)])
  let known: KnownSnapshot | undefined
  const work = workOn(deps, toDiagnosis(tenantId, incidentId, lease), deps.now, {
    onMade: (made) => {
      known = made
    },
  })
  return { asked, work: work.then(() => known) }
}

/** Says of a service that nobody heard of which ones have almost its name. */
async function refuse(
  { db, maxServices }: BatchDatabase & Room,
  tenantId: TenantId,
  { serviceName, opens }: Question,
  error: unknown,
): Promise<never> {
  if (!(error instanceof AppError) || error.code !== 'not_found') throw error
  if (opens) throw new AppError('conflict', tooManyServices(maxServices))
  const services = await listServices(db, tenantId, { heardOfSince: new Date(0) })
  const nearest = nearestNames(
    serviceName,
    services.map(({ name }) => name),
    MAX_NEAREST,
  ).map((name) => `"${name}"`)
  const meant = nearest.length === 0 ? '' : ` The nearest: ${nearest.join(', ')}.`
  const detail = `nobody has told of a service "${serviceName}".${meant} With "create": true it is opened.`
  throw new AppError('not_found', detail, { fields: [{ pointer: '/service', detail }] })
}

/** What Postgres did not answer it may have stored; whoever asks us again would not know the id. */
async function storeOrRepeat(store: () => Promise<IncidentDetail>): Promise<IncidentDetail> {
  try {
    return await store()
  } catch (error) {
    if (!isDatabaseUnavailable(error)) throw error
    return await store()
  }
}

/** How long whoever asks waits for the answer: five seconds at most, of which the request has spent some to know them. */
const PATIENCE_MS = 3_400

/**
 * `diagnoseNow`, returning the incident with its answer; as it was asked when that takes longer than `patienceMs`, or cannot be
 * read.
 */
export async function askNow(
  deps: AskDeps,
  tenantId: TenantId,
  question: Question,
  trail: Trail,
  defer: (work: Promise<unknown>) => void,
  patienceMs = PATIENCE_MS,
): Promise<IncidentDetail> {
  const late = new Promise<void>((resolve) => setTimeout(resolve, patienceMs))
  const { asked, work } = await open(deps, tenantId, question, trail)
  const answered = work.then((known) => readAnswer(deps, tenantId, asked, known))
  defer(answered)
  return await Promise.race([answered, late.then(() => asked)])
}

async function readAnswer(
  deps: WorkDeps,
  tenantId: TenantId,
  asked: IncidentDetail,
  known: KnownSnapshot | undefined,
): Promise<IncidentDetail> {
  try {
    return await getIncident(deps.db, tenantId, asked.id, known)
  } catch (error) {
    deps.log('answer_not_read', { tenant_id: tenantId, incident_id: asked.id, reason: nameOf(error) })
    return asked
  }
}
