import { matchesOf } from './matches.ts'
import type { Stretch } from './named-secrets.ts'
import { classifyName, createClassifier, isSecretValue, isStrong, looksRandom } from './secret-names.ts'

/** A name and its value without a separator: flags, SQL, XML, and the entries of lists. */
const APART: readonly { readonly form: RegExp; readonly name: number; readonly value: number }[] = [
  { form: /(?<![\w-])--?([A-Za-z][\w.-]{1,40})\s{1,4}["']?([^\s"'-][^\s"']*)/dg, name: 1, value: 2 },
  { form: /<([\w:.-]{1,64})(?:\s[^<>]{0,128})?>(?:<!\[CDATA\[)?([^<\]]+)/dg, name: 1, value: 2 },
  { form: /<[\w:.-]{1,64}\s[^<>]{0,64}?(?:name|key|id)=["']([\w.-]{1,64})["'][^<>]{0,128}>([^<]+)/dgi, name: 1, value: 2 },
  { form: /<key>([\w .-]{1,64})<\/key>\s{0,64}<string>([^<]+)/dg, name: 1, value: 2 },
  { form: /\bname=["']?([\w.-]{1,64})["']?\r?\n(?:[\w-]{1,64}:[^\n]{0,256}\n)?\r?\n([^\r\n]+)/dg, name: 1, value: 2 },
  { form: /["']([A-Z][A-Z\d]{0,32}_[A-Z\d_]{1,32})["']\s{0,4},\s{0,4}["']([^"'\n]{1,512})["']\s{0,4}(?!:)[,)\]}]/dg, name: 1, value: 2 },
  { form: /\stype=["'](password)["'][^<>]{0,128}\svalue=["']([^"'<>]+)/dgi, name: 1, value: 2 },
]

/** Where secrets stand whose name is set apart from them: `--password x`, `IDENTIFIED BY 'x'`, `<password>x</password>`. */
export function findSecretsApart(text: string): readonly Stretch[] {
  const named = APART.flatMap(({ form, name, value }) =>
    matchesOf(text, form).flatMap((match): Stretch[] => {
      const stretch = match.indices?.[value]
      const kind = classifyName(match[name] ?? '')
      return stretch && isStrong(kind) && isSecretValue(match[value] ?? '', kind, true) ? [stretch] : []
    }),
  )
  return [...named, ...findToldSecrets(text)]
}

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

/** What is told of a secret in words: after a name, in the same line, what no word looks like; right after a password, less will do. */
function findToldSecrets(text: string): readonly Stretch[] {
  const classify = createClassifier()
  return matchesOf(text, NAMING).flatMap(({ index, 0: name }) => {
    const kind = classify(name)
    if (!isStrong(kind) && kind !== 'plural') return []
    return readWordsAfter(text, index + name.length).flatMap(([start, end], place): Stretch[] => {
      const word = text.slice(start, end)
      const isTold = place === 0 && ((PASSWORD.test(name) && MIXED.test(word)) || NAMED_TOKEN.test(word))
      return looksRandom(word) || AWS_SECRET.test(word) || isTold ? [[start, end]] : []
    })
  })
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
