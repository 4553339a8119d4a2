import type { Alert, Diagnosis, Hypothesis } from '../diagnosis/model.ts'
import { toShortRevision } from '../event/revision.ts'
import { field } from '../json.ts'
import { toPrintable } from '../text.ts'
import type { CitedEvent } from './cited-event.ts'
import { candidatesOf, citedBy, MAX_CANDIDATES, MAX_SENTENCE, type WordingSource } from './model-prompt.ts'
import { isPlainWord } from './plain-words.ts'

/** The places of the first hypotheses, from 0, in the order preferred, each with a sentence of its own. */
export type Wording = readonly { readonly place: number; readonly sentence: string }[]

type WordingRefusal = 'malformed' | 'not_the_candidates' | 'too_long' | 'markup' | 'unknown_name' | 'unknown_number' | 'no_service'

export type CheckedWording =
  | { readonly ok: true; readonly wording: Wording }
  | { readonly ok: false; readonly reason: WordingRefusal; readonly word?: string }

/**
 * Whether a model's answer may be used: a new order of the candidates, a sentence for each, and in it nothing but plain
 * words and what this candidate's own evidence holds.
 */
export function checkWording(answer: unknown, source: WordingSource): CheckedWording {
  const candidates = candidatesOf(source.diagnosis)
  const items = readItems(answer)
  if (!items) return { ok: false, reason: 'malformed' }
  const places = items.map(({ place }) => place)
  const isPermutation = places.length === candidates.length && candidates.every((_, place) => places.includes(place))
  if (!isPermutation) return { ok: false, reason: 'not_the_candidates' }

  for (const { place, sentence } of items) {
    const candidate = candidates[place]
    const refusal = candidate ? checkSentence(sentence, candidate, source) : { reason: 'not_the_candidates' as const }
    if (refusal) return { ok: false, ...refusal }
  }
  return { ok: true, wording: items }
}

/** Causes whose scores, in nats, differ by less are as good as equal: odds below two to one. */
const NEAR_TIE = Math.LN2

/**
 * The diagnosis in a model's words. Its order counts among near-ties only, and only if what to do stays the engine's advice;
 * otherwise the engine's order stays. A cause that the engine did not put first is never surer than what its own confidence leaves.
 */
export function applyWording(diagnosis: Diagnosis, wished: Wording): Diagnosis {
  const wording = isOrderFree(diagnosis, wished) ? wished : wished.toSorted((a, b) => a.place - b.place)
  const worded = wording.flatMap(({ place, sentence }) => {
    const hypothesis = diagnosis.hypotheses[place]
    return hypothesis ? [{ ...hypothesis, sentence }] : []
  })
  const [leading] = worded
  if (!leading) return diagnosis
  const hypotheses = [...worded, ...diagnosis.hypotheses.slice(worded.length)]
  const first = { ...diagnosis, hypotheses, hypothesis: leading.sentence }
  if (wording[0]?.place === 0) return first
  return {
    ...first,
    confidence: Math.min(diagnosis.confidence, 1 - diagnosis.confidence),
    evidence: leading.eventIds,
    reasoning: toReasoning(leading),
  }
}

function isOrderFree({ hypotheses, recommendedAction }: Diagnosis, wished: Wording): boolean {
  const inOrder = wished.flatMap(({ place }) => hypotheses[place] ?? [])
  const isNear = inOrder.every(({ score }, index) => inOrder.slice(index + 1).every((later) => later.score - score < NEAR_TIE))
  return isNear && (wished[0]?.place === 0 || inOrder[0]?.recommendedAction === recommendedAction)
}

function toReasoning({ reasonsFor, reasonsAgainst }: Hypothesis): string {
  const against = reasonsAgainst.length === 0 ? '' : ` Against it: ${reasonsAgainst.join('; ')}.`
  return `For it: ${reasonsFor.join('; ')}.${against}`
}

function toOneLine(sentence: string): string {
  return toPrintable(sentence.normalize('NFKC')).replace(/\s+/g, ' ').trim()
}

function readItems(answer: unknown): Wording | undefined {
  const candidates = field(answer, 'candidates')
  if (!Array.isArray(candidates) || candidates.length > MAX_CANDIDATES) return undefined
  const items = candidates.flatMap((item) => {
    const [number, sentence] = [field(item, 'number'), field(item, 'sentence')]
    if (!Number.isSafeInteger(number) || typeof sentence !== 'string') return []
    return [{ place: Number(number) - 1, sentence: toOneLine(sentence) }]
  })
  return items.length === candidates.length ? items : undefined
}

type Refusal = { readonly reason: WordingRefusal; readonly word?: string }

const MARKUP = /[<>*`|#\\[\]@{}~]|:\/\/|www\./i
const TOKEN = /[\p{L}\p{N}][\p{L}\p{N}\p{M}_.,:/=+%-]*/gu
const NUMBER = /^(\d+(?:[.,]\d+)?)(?:%|ms|s|min|m|h)?$/
const CLOCK = /^\d{1,2}:\d{2}(?::\d{2})?$/

function checkSentence(sentence: string, candidate: Hypothesis, source: WordingSource): Refusal | undefined {
  // The engine's own words would stand anyway.
  if (sentence === toOneLine(candidate.sentence)) return undefined
  if (sentence === '' || sentence.length > MAX_SENTENCE) return { reason: 'too_long' }
  const sayable = sayableOf(candidate, source)
  const lower = sentence.toLowerCase()
  if (findName(lower, toComparable(candidate.service)) < 0) return { reason: 'no_service' }
  const rest = [...sayable.names].sort((a, b) => b.length - a.length).reduce(withoutName, lower)
  if (MARKUP.test(rest)) return { reason: 'markup' }
  for (const [token] of rest.matchAll(TOKEN)) {
    const refusal = checkToken(token.replace(/(?<![.,:/=+-])[.,:/=+-]+$/, ''), sayable)
    if (refusal) return refusal
  }
  return undefined
}

function checkToken(token: string, { numbers, clocks }: Sayable): Refusal | undefined {
  if (CLOCK.test(token)) return clocks.has(token) ? undefined : { reason: 'unknown_number', word: token }
  const number = NUMBER.exec(token)?.[1] ?? NUMBER_WORDS.get(token)
  if (number !== undefined) return numbers.has(number) ? undefined : { reason: 'unknown_number', word: token }
  const words = token.split(/[-/]/)
  return words.every((word) => isPlainWord(word)) ? undefined : { reason: 'unknown_name', word: token }
}

const NUMBER_WORDS: ReadonlyMap<string, string> = new Map(
  ['two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine', 'ten', 'eleven', 'twelve'].map((word, index) => [
    word,
    String(index + 2),
  ]),
)

/** What a sentence about one candidate may contain besides plain words. */
type Sayable = { readonly names: ReadonlySet<string>; readonly numbers: ReadonlySet<string>; readonly clocks: ReadonlySet<string> }

const MAX_NAME = 64
const MAX_NAME_WORDS = 3

function sayableOf(candidate: Hypothesis, source: WordingSource): Sayable {
  const { alert } = source
  const cited = citedBy(candidate, source)
  const services = [candidate.service, alert.service, ...candidate.path].filter((name) => name !== null)
  const oneWords = cited.flatMap(({ serviceName, vendor, entity, oldValue, newValue, actor, sha }) =>
    [serviceName, vendor, entity, oldValue, newValue, actor, ...toShaNames(sha)].filter((name) => name !== null),
  )
  const types = cited.flatMap(({ eventType }) => [eventType, eventType.replaceAll('_', ' ')])
  const names = [...services.filter((name) => isName(name, MAX_NAME_WORDS)), ...oneWords.filter((name) => isName(name, 1)), ...types]
  const own = [candidate.sentence, ...candidate.reasonsFor, ...candidate.reasonsAgainst].join(' ')
  return {
    names: new Set(names.map(toComparable)),
    numbers: new Set([
      ...(own.match(/\d+(?:[.,]\d+)?/g) ?? []),
      String(candidate.path.length - 1),
      ...cited.flatMap((event) => numbersOf(event, alert)),
    ]),
    clocks: new Set(cited.flatMap(({ timestamp }) => [timestamp.toISOString().slice(11, 16), timestamp.toISOString().slice(11, 19)])),
  }
}

function toShaNames(sha: string | null): readonly string[] {
  return sha === null ? [] : [sha, toShortRevision(sha)].flatMap((name) => [name, `sha=${name}`])
}

/** What is too long or has too many words is no name but a text, and a text may say anything; what has markup is none either. */
function isName(text: string, maxWords: number): boolean {
  return text.trim() !== '' && !MARKUP.test(text) && text.length <= MAX_NAME && text.trim().split(/\s+/).length <= maxWords
}

function numbersOf({ timestamp, count }: CitedEvent, { triggeredAt }: Alert): readonly string[] {
  const seconds = Math.abs(triggeredAt.getTime() - timestamp.getTime()) / 1_000
  const minutes = seconds / 60
  return [count, ...[seconds, minutes].flatMap((each) => [Math.floor(each), Math.round(each), Math.ceil(each)])].map(String)
}

const isInWord = (character: string | undefined): boolean => character !== undefined && /[\p{L}\p{N}_-]/u.test(character)

const toComparable = (name: string): string => name.normalize('NFKC').toLowerCase()

/** Where a name stands as a word of its own. */
function findName(sentence: string, name: string): number {
  for (let at = sentence.indexOf(name); at >= 0; at = sentence.indexOf(name, at + 1)) {
    if (!isInWord(sentence[at - 1]) && !isInWord(sentence[at + name.length])) return at
  }
  return -1
}

function withoutName(sentence: string, name: string): string {
  const at = findName(sentence, name)
  // Every turn takes a letter away, so that this ends.
  return at < 0 ? sentence : withoutName(`${sentence.slice(0, at)} ${sentence.slice(at + name.length)}`, name)
}
