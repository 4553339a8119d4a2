import type { Copies, Logging, Model } from '../deps.ts'
import type { Diagnosis } from '../domain/diagnosis/model.ts'
import type { TenantId } from '../domain/ids.ts'
import { applyWording, checkWording } from '../domain/telling/model-check.ts'
import { type ModelPrompt, toPrompt, type WordingSource } from '../domain/telling/model-prompt.ts'
import { askModel } from '../outbound/language-model.ts'
import { bookModelTokens } from '../store/model-tokens.ts'

type WordingDeps = Copies & Logging & Model

/** A diagnosis, and who worded it: `rules`, or the model's name. */
export type WordedDiagnosis = { readonly diagnosis: Diagnosis; readonly diagnosedBy: string }

/** Characters of a token, at the least: what JSON of names and numbers comes to. */
const CHARACTERS_PER_TOKEN = 2.5

/**
 * Lets the language model, where there is one, order and word the first hypotheses. Without one, when the tenant's tokens
 * of the day are used up or cannot be counted, and whatever else goes wrong, the engine's own answer stands.
 */
export async function wordDiagnosis(deps: WordingDeps, tenantId: TenantId, source: WordingSource, now: Date): Promise<WordedDiagnosis> {
  const own = { diagnosis: source.diagnosis, diagnosedBy: 'rules' }
  const { languageModel, log } = deps
  const prompt = languageModel && toPrompt(source)
  if (!prompt) return own
  const estimate = estimateTokens(prompt)
  if (!(await isAffordable(deps, tenantId, estimate, now))) return own

  const outcome = await askModel(languageModel, prompt)
  if (outcome.kind !== 'answered') {
    log('model', { tenant_id: tenantId, outcome: outcome.kind })
    return own
  }
  if (outcome.tokens !== undefined) await bookModelTokens(deps.redis, tenantId, outcome.tokens - estimate, now).catch(() => undefined)
  const checked = checkWording(outcome.value, source)
  log('model', { tenant_id: tenantId, outcome: checked.ok ? 'used' : 'discarded', reason: checked.ok ? undefined : checked.reason })
  return checked.ok ? { diagnosis: applyWording(source.diagnosis, checked.wording), diagnosedBy: languageModel.name } : own
}

function estimateTokens({ system, user, maxOutputTokens }: ModelPrompt): number {
  return Math.ceil((system.length + user.length) / CHARACTERS_PER_TOKEN) + maxOutputTokens
}

/** Booked before it is spent, so that many at once cannot spend it all together. */
async function isAffordable(
  { redis, log, modelTokensPerDay }: WordingDeps,
  tenantId: TenantId,
  tokens: number,
  now: Date,
): Promise<boolean> {
  try {
    if ((await bookModelTokens(redis, tenantId, tokens, now)) <= modelTokensPerDay) return true
    await bookModelTokens(redis, tenantId, -tokens, now)
    log('model', { tenant_id: tenantId, outcome: 'budget_used_up' })
  } catch {
    log('model', { tenant_id: tenantId, outcome: 'budget_unknown' })
  }
  return false
}
