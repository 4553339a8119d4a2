import { matchesOf } from './matches.ts'
import type { Stretch } from './named-secrets.ts'
import { isSaid } from './said-words.ts'
import { classifyName, createClassifier, isSecretValue, isStrong, looksRandom } from './secret-names.ts'

/** A word that may name a secret, with the word `key` after it. */
const NAMING = /(?<![\p{L}\p{N}_.-])[\p{L}\p{N}][\p{L}\p{N}_.-]{1,63}(?: key(?![\p{L}\p{N}]))?/gu
/** What is between a name and what it names, as prose and tables have it, up to the next word. */
const WORD_AFTER = /[^\S\n]{0,8}(?:(?:->|=>|>>|!=|[,;|\t(["'`]|:=?|==?|is|was|to|now)[^\S\n]{0,8}){0,4}([^\s,;|"'`()<>[\]{}]{1,256})/y
const PASSWORD = /pass(?:word|wd|phrase|code)|p[sw]?wd?$/i
/** Letters and digits, but no commit or digest. */
const MIXED = /^(?=.*[A-Za-z])(?=.*\d)(?![0-9a-f]{7,}$)[^\s./-]{6,}$/
/** A digest is as long; but what follows the word `token` is one. So are words with digits in them, but for versions and names of classes. */
const NAMED_TOKEN = /^[0-9a-fA-F-]{32,}$|^(?=[a-z]{1,64}\d|\d{1,64}[a-z])(?![0-9a-f]+$)[a-z\d]{8,}$/
/** A secret access key of AWS. */
const AWS_SECRET = /^(?=.*[a-z])(?=.*[A-Z])(?=.*\d)[A-Za-z0-9/+]{40}$/
const MAX_WORDS = 4

/** A word as it is written: no number, no name in parts. */
const PLAIN_WORD = /^\p{L}[\p{L}\p{N}!@#$%^&*+=?_~]{3,63}$/u
/** What leads from the name of a secret to it: to say what it is, or nothing. */
const LEADS =
  /(?:['\u2019]s)?[^\S\n]{1,4}(?:(?:(?:(?:is|was|(?:will|should|must) be|now|equals|eq|ist|lautet|has been)(?!\w)|=>|->|\u2192|:|=)[^\S\n]{0,4}|(?:(?:is|was|has been)[^\S\n]{1,4})?(?:set|changed|reset|updated)[^\S\n]{1,4}to[^\S\n]{1,4})(?:now[^\S\n]{1,4}|:[^\S\n]{0,4})?|to[^\S\n]{1,4})?(?=[^\s:=])/iy
/** Where what is told may end: with its sentence, or before more about it. */
const ENDS =
  /(?:[.,;:!?)\]}]{0,3}(?:$|\n|["'`](?![A-Za-z]))|[.,;:!?)\]}]{1,3}\s|\s{1,4}(?:is|was|for|on|at|in|from|by|to|host|user|and|or|with|did|does|not|worked|works|failed|before|now|instead|please|\(|->|=>|\u2192)(?![\w-]))/iy
const QUOTED = /["'`\u201c\u2018]([^"'`\u201d\u2019\n]{1,256})["'`\u201d\u2019]/dy
export const IS_PASSWORD = /pass(?:word|wd|phrase)$|[_.-]pass$|(?:^|[_.-])(?:pwd?|psw|pswd)$|(?:pass|kenn)wort$/i
/** Who says what a password is set to, before its name. */
const SETS = /\b(?:set|sets|setting|chang(?:e|ed|es|ing)|reset|updated?|rotated?)\s(?:\S{1,20}\s){0,2}$/i
const WORD = /[^\s,;|"'`()<>[\]{}]{1,256}/y
const NAMES_KEY = /token|secret|key$/i
const SAYS = /\b(?:is|was|equals|eq|ist|lautet|been)\b|[=:>\u2192]/

/** Whether a word that stands where a secret is told is none of those that people use to talk about one. */
export function isPlainSecret(word: string): boolean {
  return PLAIN_WORD.test(word) && !isSaid(word) && classifyName(word) === 'none' && isSecretValue(word, 'strong', true)
}

/** What is told of a secret in a plain word: of a password wherever it follows, of a token where something says that it is one. */
function readPlainSecret(text: string, from: number, name: string): Stretch | undefined {
  LEADS.lastIndex = from
  const lead = LEADS.exec(text)?.[0] ?? ''
  const isPassword = IS_PASSWORD.test(name)
  if (lead === '' || !(isPassword || (NAMES_KEY.test(name) && SAYS.test(lead)))) return undefined
  const before = text.slice(Math.max(0, from - name.length - 48), from - name.length)
  return /^\s*to\s/i.test(lead) && !SETS.test(before) ? undefined : readTold(text, from + lead.length, isPassword)
}

function readTold(text: string, from: number, isPassword: boolean): Stretch | undefined {
  QUOTED.lastIndex = from
  const quoted = QUOTED.exec(text)?.indices?.[1]
  if (quoted) {
    const value = text.slice(...quoted)
    return isPlainSecret(value) || (isPassword && isSecretValue(value, 'strong', true)) ? quoted : undefined
  }
  WORD.lastIndex = from
  const word = (WORD.exec(text)?.[0] ?? '').replace(/[.!?:*_~]{1,4}$/, '')
  const end = from + word.length
  ENDS.lastIndex = end
  return isPlainSecret(word) && ENDS.test(text) ? [from, end] : undefined
}

/** A password alone in the line below its name. */
const BELOW =
  /(?<![^\n])[^\S\n]{0,8}["']?(?:pass(?:word|wd|phrase)|pwd)["']?[^\S\n]{0,8}\r?\n[^\S\n]{0,8}["']?([^\s"']{4,256})["']?[^\S\n]{0,8}(?=\r?\n|$)/dgi

/** What is told of a secret in words: after a name, in the same line, what no word looks like; right after a password, less will do. */
export function findToldSecrets(text: string): readonly Stretch[] {
  const classify = createClassifier()
  const found = matchesOf(text, NAMING).flatMap(({ index, 0: name }) => {
    const kind = classify(name)
    if (!isStrong(kind) && kind !== 'plural') return []
    const plain = readPlainSecret(text, index + name.length, name)
    const told = readWordsAfter(text, index + name.length).flatMap(([start, end], place): Stretch[] => {
      const word = text.slice(start, end)
      const isTold = place === 0 && ((PASSWORD.test(name) && MIXED.test(word)) || NAMED_TOKEN.test(word))
      return looksRandom(word) || AWS_SECRET.test(word) || isTold ? [[start, end]] : []
    })
    return plain ? [plain, ...told] : told
  })
  const below = matchesOf(text, BELOW).flatMap(({ 1: word = '', indices }): readonly Stretch[] =>
    indices?.[1] && isPlainSecret(word) ? [indices[1]] : [],
  )
  return [...found, ...below]
}

/** The next words of a sentence, without what ends it. */
function readWordsAfter(text: string, from: number): readonly Stretch[] {
  const words: Stretch[] = []
  for (let at = from; words.length < MAX_WORDS; ) {
    WORD_AFTER.lastIndex = at
    const match = WORD_AFTER.exec(text)
    if (!match) break
    at = match.index + match[0].length
    const word = match[1] ?? ''
    const said = word.replace(/[.:!?]{1,4}$/, '')
    words.push([at - word.length, at - word.length + said.length])
    if (said !== word && !word.endsWith(':')) break
  }
  return words
}
