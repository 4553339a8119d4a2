-- How far `api_keys.last_used_at` may be behind before a use of the key writes to its row.
-- Called by: ingest_event, read_window, resolve_caller. A function to say it once; the planner puts the interval in place of
-- the call.
CREATE FUNCTION key_touch_interval_v1() RETURNS interval LANGUAGE sql IMMUTABLE AS $$
  SELECT interval '50 seconds'
$$;
