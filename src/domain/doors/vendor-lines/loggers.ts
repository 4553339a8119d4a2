import { at, nameAt, textAt } from '../reading.ts'
import { cutError, type LineVerdict, type LogLine } from './line.ts'

const PINO_ERROR = 50
const PINO_FATAL = 60

/** pino: levels are numbers. */
export function readPinoLine({ json }: LogLine): LineVerdict {
  const [level, message] = [at(json, 'level'), textAt(json, 'msg')]
  if (typeof level !== 'number' || (at(json, 'pid') === undefined && at(json, 'hostname') === undefined)) return 'foreign'
  if (level >= PINO_FATAL) {
    return { type: 'restart', vendor: 'pino', new: `fatal: ${cutError(message ?? '')}`, confidence: 0.92, ttlSeconds: 1_800 }
  }
  const error = joined(textAt(json, 'err', 'type'), textAt(json, 'err', 'message')) ?? message
  if (level < PINO_ERROR || error === undefined) return 'quiet'
  return { type: 'dependency_failure', vendor: 'pino', new: cutError(error), confidence: 0.88, ttlSeconds: 1_200 }
}

const GO_LEVELS = new Set(['debug', 'info', 'warn', 'warning', 'error', 'dpanic', 'panic', 'fatal'])
const FAILED_CHARGE = /\bfailed to charge\b/i

/** zap and slog: levels are words, and the place in the source is told. */
export function readGoLine({ json }: LogLine): LineVerdict {
  const level = nameAt(json, 'level')?.toLowerCase()
  const isGo = ['caller', 'source', 'stacktrace'].some((name) => at(json, name) !== undefined)
  if (level === undefined || !GO_LEVELS.has(level) || !isGo) return 'foreign'
  const [message, error] = [textAt(json, 'msg'), textAt(json, 'error')]
  const text = error ?? message
  if (level === 'fatal' || level.endsWith('panic')) {
    return { type: 'restart', vendor: 'gojson', new: `panic: ${cutError(message ?? error ?? '')}`, confidence: 0.88, ttlSeconds: 1_800 }
  }
  if (level !== 'error' || text === undefined) return 'quiet'
  const isCharge = error !== undefined && FAILED_CHARGE.test(message ?? '')
  const value = isCharge ? `payment_charge_failed: ${cutError(text)}` : cutError(text)
  return { type: 'dependency_failure', vendor: 'gojson', new: value, confidence: isCharge ? 0.93 : 0.82, ttlSeconds: 1_200 }
}

/** Log4j 2's JSON layout: every line names its logger. */
export function readLog4jLine({ json }: LogLine): LineVerdict {
  const [logger, level] = [nameAt(json, 'loggerName'), nameAt(json, 'level')?.toUpperCase()]
  if (logger === undefined || level === undefined) return 'foreign'
  const [name, message] = [textAt(json, 'thrown', 'name'), textAt(json, 'message')]
  const base = { vendor: 'log4j2', entity: logger }
  if (name?.endsWith('OutOfMemoryError')) {
    return { ...base, type: 'restart', new: `OOM: ${cutError(name)}`, confidence: 0.95, ttlSeconds: 1_800 }
  }
  if (level === 'FATAL') return { ...base, type: 'restart', new: `fatal: ${cutError(message ?? '')}`, confidence: 0.92, ttlSeconds: 1_800 }
  const thrown = joined(name, textAt(json, 'thrown', 'message'))
  const text = thrown ?? message
  if (level !== 'ERROR' || text === undefined) return 'quiet'
  return { ...base, type: 'dependency_failure', new: cutError(text), confidence: thrown === undefined ? 0.85 : 0.9, ttlSeconds: 1_200 }
}

const ERROR_SEVERITY = 17
const FATAL_SEVERITY = 21
const CALM_LEVEL = /\b(?:TRACE|DEBUG|INFO|NOTICE|WARN|WARNING|LOG)\b|\blevel=(?:trace|debug|info|warn)/
const FATAL_WORD = /\b(?:fatal|panic)\b/i
const ERROR_WORD = /\b(?:error|exception|refused)\b/i

/** Any line of a record whose severity, or exception, says that something failed; where no severity is told, the line's words do. */
export function readGenericLine({ text, json, attributes, severity }: LogLine): LineVerdict {
  const [type, message] = [attributes.get('exception.type'), attributes.get('exception.message')]
  const exception = joined(typeof type === 'string' ? type : undefined, typeof message === 'string' ? message : undefined)
  const value = cutError((exception ?? text).trim())
  const failure = severity === undefined && json === undefined ? worded(text) : judged(severity)
  const outcome = failure ?? (exception === undefined ? undefined : 'dependency_failure')
  if (outcome === undefined || value === '') return 'quiet'
  return { type: outcome, vendor: 'generic', new: value, confidence: 0.4, ttlSeconds: 900 }
}

function judged(severity = 0): 'restart' | 'dependency_failure' | undefined {
  if (severity >= FATAL_SEVERITY) return 'restart'
  return severity >= ERROR_SEVERITY ? 'dependency_failure' : undefined
}

function worded(text: string): 'restart' | 'dependency_failure' | undefined {
  if (CALM_LEVEL.test(text)) return undefined
  if (FATAL_WORD.test(text)) return 'restart'
  return ERROR_WORD.test(text) ? 'dependency_failure' : undefined
}

function joined(name: string | undefined, message: string | undefined): string | undefined {
  return name !== undefined && message !== undefined ? `${name}: ${message}` : (message ?? name)
}
