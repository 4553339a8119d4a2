-- How far `services.last_event_at` and `agents.last_seen_at` may be behind before an event writes to their rows.
-- Called by: ingest_event, ingest_events, receive_alerts, receive_question. A function to say it once; the planner puts the interval in place of
-- the call.
CREATE FUNCTION touch_interval_v1() RETURNS interval LANGUAGE sql IMMUTABLE AS $$
  SELECT interval '10 seconds'
$$;
