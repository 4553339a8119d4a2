import type { Attributes } from '../otlp-record.ts'
import { readArgocdLine } from './argocd-lines.ts'
import { readFlagdLine } from './flagd-lines.ts'
import { readKafkaLine } from './kafka-lines.ts'
import { readKubernetesLine } from './kubernetes-lines.ts'
import type { LineEvent, LineVerdict, LogLine } from './line.ts'
import { readGenericLine, readGoLine, readLog4jLine, readPinoLine } from './loggers.ts'
import { readPostgresLine } from './postgres-lines.ts'
import { readRedisLine } from './redis-lines.ts'

const MAX_LINE_LENGTH = 8_192
const MAX_JSON_LENGTH = 131_072

const JSON_RULES = [readKubernetesLine, readFlagdLine, readLog4jLine, readPinoLine, readGoLine]
const TEXT_RULES = [readArgocdLine, readPostgresLine, readRedisLine, readKafkaLine, readFlagdLine]

/** What the ten vendors' rules make of a line; `undefined` for nothing. The first vendor whose line it is decides. */
export function readLine(
  text: string,
  { attributes, severity }: { readonly attributes: Attributes; readonly severity: number | undefined },
): LineEvent | undefined {
  const json = parseObject(text)
  const line: LogLine = { text: text.slice(0, MAX_LINE_LENGTH), json, attributes, severity }
  const verdict = firstVerdict(json === undefined ? TEXT_RULES : JSON_RULES, line)
  return typeof verdict === 'string' ? undefined : verdict
}

function firstVerdict(rules: readonly ((line: LogLine) => LineVerdict)[], line: LogLine): LineVerdict {
  for (const rule of rules) {
    const verdict = rule(line)
    if (verdict !== 'foreign') return verdict
  }
  return readGenericLine(line)
}

function parseObject(text: string): unknown {
  if (!text.startsWith('{') || text.length > MAX_JSON_LENGTH) return undefined
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
