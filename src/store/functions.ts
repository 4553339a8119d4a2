import { type SQL, sql } from 'drizzle-orm'

/**
 * The functions of the database that this Worker calls, by their files under `drizzle/functions`. No other file spells a
 * version: one that calls a function by itself would go on calling the old one.
 */
export const FUNCTIONS = {
  delete_causal_pattern: 'delete_causal_pattern_v1',
  epoch_ms: 'epoch_ms',
  find_evidence: 'find_evidence_v13',
  find_recent_lives: 'find_recent_lives_v4',
  find_window: 'find_window_v13',
  ingest_event: 'ingest_event_v9',
  ingest_events: 'ingest_events_v8',
  integration_by_token: 'integration_by_token_v1',
  life_key_of: 'life_key_of',
  nearest_causal_patterns: 'nearest_causal_patterns_v2',
  read_window: 'read_window_v14',
  receive_alerts: 'receive_alerts_v5',
  receive_question: 'receive_question_v1',
  resolve_caller: 'resolve_caller_v1',
  save_causal_pattern: 'save_causal_pattern_v2',
  service_id_of: 'service_id_of',
} as const

export type FunctionName = keyof typeof FUNCTIONS

/** A function's name within a statement, to be followed by its arguments. */
export const functionNamed = (name: FunctionName): SQL => sql.raw(FUNCTIONS[name])
