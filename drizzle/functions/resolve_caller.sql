-- The live key with this hash and its agent: a row of nulls when there is none. Touches `last_used_at` when it is older
-- than key_touch_interval, and never waits for another who does.
-- Called by: ingest_events, find_window, and the statements of requests that do nothing else in Postgres. A function because
-- it has to write only when a look says so.
CREATE FUNCTION resolve_caller_v1(key_hash text, OUT tenant_id uuid, OUT api_key_id uuid, OUT key_type text, OUT agent_id uuid, OUT agent_seen_at timestamptz)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  used_at timestamptz;
BEGIN
  SELECT k.tenant_id, k.id, k.key_type, a.id, a.last_seen_at, k.last_used_at
  INTO resolve_caller_v1.tenant_id, resolve_caller_v1.api_key_id, resolve_caller_v1.key_type, resolve_caller_v1.agent_id, resolve_caller_v1.agent_seen_at, used_at
  FROM api_keys k LEFT JOIN agents a ON a.api_key_id = k.id
  WHERE k.hash = key_hash AND k.revoked_at IS NULL;
  IF FOUND AND (used_at IS NULL OR used_at < now() - key_touch_interval_v1()) THEN
    UPDATE api_keys SET last_used_at = now()
    WHERE id = (SELECT k.id FROM api_keys k WHERE k.id = resolve_caller_v1.api_key_id FOR NO KEY UPDATE SKIP LOCKED);
  END IF;
END
$$;
