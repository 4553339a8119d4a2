import type { ChangeText } from './event.ts'

/** What a spelling tells of a revision: the image or package it is of, a commit or digest, a version; else only its text. */
type Spelling = {
  readonly text: string
  readonly name?: string | undefined
  readonly hash?: string | undefined
  readonly version?: string | undefined
}

const MAX_LENGTH = 512
const FULL_HASH_LENGTHS: ReadonlySet<number> = new Set([40, 64, 128])

const QUOTES = /^["'`]+|["'`]+$/g
const STATE_PREFIX = /^(?:auto_syncing|syncing|released):/i
const REF_PREFIX = /^refs\/(?:heads|tags)\//
const ONE_WORD = /^[\w.+@:/-]+$/
/** Flux's `main@sha1:…`, an image's `repo:tag@sha256:…`. */
const DIGEST = /^(?:(.*)@)?sha(?:1|256|512):([0-9a-f]{7,})$/
/** As docker/metadata-action tags the image of a commit. */
const COMMIT_TAG = /^sha-([0-9a-f]{7,64})$/
/** As git and registries abbreviate. */
const HASH = /^[0-9a-f]{7,128}$/
const NUMBER = /^\d+$/
/** As `git describe` writes it: tag, commits since, commit. */
const DESCRIBED = /^(.+)-(\d{1,9})-g([0-9a-f]{7,64})$/
const VERSION = /^v?(\d[0-9a-z.+_-]*)$/

/**
 * The revision that a deploy puts in place, as its sender spells it: its sha, else its new value where that is neither a
 * state (`succeeded`, `health:Degraded`) nor a sentence.
 */
export function toRevision({ eventType, newValue, sha }: Pick<ChangeText, 'eventType' | 'newValue' | 'sha'>): string | undefined {
  const told = toPlain(sha ?? '')
  if (told !== '') return told
  if (eventType !== 'deploy' || newValue === null || newValue.length > MAX_LENGTH) return undefined
  const value = toPlain(newValue)
  if (STATE_PREFIX.test(trim(newValue))) return value === '' ? undefined : value
  return ONE_WORD.test(value) && (/\d/.test(value) || HASH.test(value)) ? value : undefined
}

/**
 * Whether two spellings name one revision: a full and a short sha, a tag with and without `v`, an image by tag or digest,
 * `git describe` and its commit. A commit or digest decides where both tell one, else the version does as it is written:
 * `v2`, which moves, is not `v2.0.0`. A blank one is no revision, nor is one that is not told. No equivalence: two short shas may both fit a full one.
 */
export function isSameRevision(a: string | undefined, b: string | undefined): boolean {
  if (a === undefined || b === undefined) return false
  const [one, other] = [toSpelling(a), toSpelling(b)]
  if (one.text === '' || other.text === '') return false
  if (areHashes(one.hash, other.hash)) return isSameHash(one.hash ?? '', other.hash ?? '')
  if (one.name !== undefined && other.name !== undefined && one.name !== other.name) return false
  if (one.text === other.text) return true
  return one.version !== undefined && other.version !== undefined && isSameVersion(one.version, other.version)
}

/** What deployers say of a release that was taken back. */
const ROLLED_BACK = /^roll(?:ed)?[ _-]?back$/i

/** Whether a deploy says that a release was taken back. Which one its revision is, the one that was or the one before, senders differ in. */
export function isRollback({ eventType, newValue }: Pick<ChangeText, 'eventType' | 'newValue'>): boolean {
  return eventType === 'deploy' && ROLLED_BACK.test(newValue ?? '')
}

/** Whether a revision is a commit's or an image's, which no two things share by chance as they do `v1.4.2`. */
export function isHash(revision: string): boolean {
  const { hash } = toSpelling(revision)
  return hash !== undefined && !NUMBER.test(hash)
}

/** Whether a revision is how often a controller rolled out: Argo Rollouts and Kubernetes count so. */
export function isCounter(revision: string): boolean {
  return /^\d{1,6}$/.test(toPlain(revision))
}

const FULL_HASH = /\b(?:[0-9a-f]{40}|[0-9a-f]{64}|[0-9a-f]{128})\b/gi
const SHORT_LENGTH = 8

/** A revision as people tell it: of full hashes the beginning. */
export function toShortRevision(revision: string): string {
  return revision.replace(FULL_HASH, (hash) => hash.slice(0, SHORT_LENGTH))
}

function toPlain(text: string): string {
  return trim(trim(text).replace(STATE_PREFIX, ''))
}

function trim(text: string): string {
  return text.trim().replace(QUOTES, '').trim()
}

function toSpelling(text: string): Spelling {
  if (text.length > MAX_LENGTH) return { text: text.trim().toLowerCase() }
  const plain = toPlain(text).toLowerCase()
  const [, source = '', hash] = DIGEST.exec(plain) ?? []
  if (hash === undefined) return toTagged(plain.replace(REF_PREFIX, ''))
  // A branch or `latest` moves: beside a digest it tells nothing.
  const { name, version } = toTagged(source)
  return { text: hash, name, hash, version }
}

/** An image or package with its revision (`registry:5000/shop/cart:1.4.2`, `cart@1.4.2`), else a bare revision. */
function toTagged(text: string): Spelling {
  const at = Math.max(text.lastIndexOf(':'), text.lastIndexOf('@'))
  if (at <= 0 || text.includes('/', at)) return toBare(text)
  return { ...toBare(text.slice(at + 1)), name: text.slice(text.lastIndexOf('/', at) + 1, at) }
}

function toBare(text: string): Spelling {
  const [, tag, ahead, described] = DESCRIBED.exec(text) ?? []
  if (tag !== undefined) return { text, hash: described, version: Number(ahead) === 0 ? VERSION.exec(tag)?.[1] : undefined }
  const hash = COMMIT_TAG.exec(text)?.[1] ?? HASH.exec(text)?.[0]
  return { text: hash ?? text, hash, version: VERSION.exec(text)?.[1] }
}

/** Whether both are hashes: seven digits are a short sha beside a full one only, else a number. */
function areHashes(a: string | undefined, b: string | undefined): boolean {
  if (a === undefined || b === undefined) return false
  return FULL_HASH_LENGTHS.has(a.length) || FULL_HASH_LENGTHS.has(b.length) || (!NUMBER.test(a) && !NUMBER.test(b))
}

function isSameHash(a: string, b: string): boolean {
  return a.length <= b.length ? b.startsWith(a) : a.startsWith(b)
}

/** Build metadata (`1.4.2+3`) tells versions apart only where both have it, as it does not order them: semver.org, item 10. */
function isSameVersion(a: string, b: string): boolean {
  const [[versionA, buildA], [versionB, buildB]] = [a.split('+', 2), b.split('+', 2)]
  return versionA === versionB && (buildA === undefined || buildB === undefined || buildA === buildB)
}
