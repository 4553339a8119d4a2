import { matchesOf } from './matches.ts'
import type { Stretch } from './named-secrets.ts'
import { classifyName, isSecretValue, isStrong } from './secret-names.ts'
import { findToldSecrets, IS_PASSWORD, isPlainSecret } from './told-secrets.ts'

/** A name and its value without a separator: flags, SQL, XML, and the entries of lists. */
const APART: readonly { readonly form: RegExp; readonly name: number; readonly value: number }[] = [
  { form: /(?<![\w-])--?([A-Za-z][\w.-]{1,40})\s{1,4}["']?([^\s"'-][^\s"']*)/dg, name: 1, value: 2 },
  { form: /<([\w:.-]{1,64})(?:\s[^<>]{0,128})?>(?:<!\[CDATA\[)?([^<\]]+)/dg, name: 1, value: 2 },
  { form: /<[\w:.-]{1,64}\s[^<>]{0,64}?(?:name|key|id)=["']([\w.-]{1,64})["'][^<>]{0,128}>([^<]+)/dgi, name: 1, value: 2 },
  { form: /<key>([\w .-]{1,64})<\/key>\s{0,64}<string>([^<]+)/dg, name: 1, value: 2 },
  { form: /\bname=["']?([\w.-]{1,64})["']?\r?\n(?:[\w-]{1,64}:[^\n]{0,256}\n)?\r?\n([^\r\n]+)/dg, name: 1, value: 2 },
  { form: /["']([A-Z][A-Z\d]{0,32}_[A-Z\d_]{1,32})["']\s{0,4},\s{0,4}["']([^"'\n]{1,512})["']\s{0,4}(?!:)[,)\]}]/dg, name: 1, value: 2 },
  { form: /\b(?:set|with)_?([A-Za-z][\w]{1,64})\(\s{0,8}["'`]([^"'`\n]{1,512})["'`]/dg, name: 1, value: 2 },
  { form: /\stype=["'](password)["'][^<>]{0,128}\svalue=["']([^"'<>]+)/dgi, name: 1, value: 2 },
]

/** What a command sets, whose name has parts. */
const SET =
  /(?:^|[\s;&])(?:export|setenv|setx|set|ENV|ARG|config(?:\s{1,4}set)?)\s{1,4}(?:-\w{1,4}\s{1,4})?((?=[\w/-]{0,64}[_.:])[\w./:@-]{2,128})\s{1,4}["']?([^\s"'=]{4,512})/dg

function findSetSecrets(text: string): readonly Stretch[] {
  return matchesOf(text, SET).flatMap(({ indices, 1: name = '', 2: value = '' }): Stretch[] => {
    const isSecret = isStrong(classifyName(name)) && (/\d/.test(value) || isPlainSecret(value)) && isSecretValue(value, 'strong', true)
    return isSecret && indices?.[2] ? [indices[2]] : []
  })
}

/** Two in brackets, the name of a secret before what no column is called. */
const PAIR =
  /(?<![\w.])[([{]\s{0,8}(?:(["'`])([\w.-]{2,64})\1|:?([A-Za-z][\w-]{1,63}))(?:\s{0,4},\s{0,4}|\s{1,4})(?:(["'`])([^"'`\n]{4,512})\4|([^\s"'`,()[\]{}:]{4,512}))\s{0,8}[)\]}]/dg
const COLUMN_NAME = /^(?:user_?(?:name|id)?|login|e?-?mail|name|id|role|host|port|salt|hash|created_at|updated_at)$/i

function findPairedSecrets(text: string): readonly Stretch[] {
  return matchesOf(text, PAIR).flatMap(({ indices, 2: quotedName, 3: bareName, 5: quoted, 6: bare }): Stretch[] => {
    const kind = classifyName(quotedName ?? bareName ?? '')
    const value = quoted ?? bare ?? ''
    const isPassword = IS_PASSWORD.test(quotedName ?? bareName ?? '')
    const isSecret =
      isStrong(kind) &&
      !COLUMN_NAME.test(value) &&
      classifyName(value) === 'none' &&
      (isPassword || (quotedName && !/(?<!^(?:bearer|basic))\s/i.test(value))) &&
      (quoted ? isSecretValue(value, kind, true) : isPlainSecret(value))
    const stretch = indices?.[5] ?? indices?.[6]
    return isSecret && stretch ? [stretch] : []
  })
}

/** Where secrets stand whose name is set apart from them: `--password x`, `IDENTIFIED BY 'x'`, `<password>x</password>`. */
export function findSecretsApart(text: string): readonly Stretch[] {
  const named = APART.flatMap(({ form, name, value }) =>
    matchesOf(text, form).flatMap((match): Stretch[] => {
      const stretch = match.indices?.[value]
      const kind = classifyName(match[name] ?? '')
      return stretch && isStrong(kind) && isSecretValue(match[value] ?? '', kind, true) ? [stretch] : []
    }),
  )
  return [...named, ...findPairedSecrets(text), ...findSetSecrets(text), ...findToldSecrets(text)]
}
