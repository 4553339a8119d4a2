import { nameAt } from '../reading.ts'
import type { LineVerdict, LogLine } from './line.ts'

/** flagd's evaluations, as JSON or in the record's attributes: those that do not give the default. */
export function readFlagdLine({ text, json, attributes }: LogLine): LineVerdict {
  const fields = json ?? (text.includes('flag evaluation') ? Object.fromEntries(attributes) : undefined)
  const [flag, variant, standard] = [nameAt(fields, 'flagKey'), nameAt(fields, 'variant'), nameAt(fields, 'defaultVariant')]
  if (flag === undefined || variant === undefined) return 'foreign'
  if (variant === standard) return 'quiet'
  return {
    type: 'flag_change',
    vendor: 'flagd',
    client: nameAt(fields, 'client') ?? nameAt(fields, 'clientName'),
    service: 'flagd',
    entity: flag,
    old: standard,
    new: variant,
    confidence: 0.97,
    ttlSeconds: 1_800,
  }
}
