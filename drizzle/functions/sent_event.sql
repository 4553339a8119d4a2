-- An event as an agent sent it: one argument, for Postgres looks at each argument of a call, and plans it, at every request.
-- `kept_seconds`: how long a change is kept for diagnoses; null for what is no change.
-- Taken by: ingest_event. Its columns stand in the order in which the Worker writes them.
CREATE TYPE sent_event_v2 AS (id uuid, service_name text, name_key text, vendor text, event_type text, entity text, old_value text,
  new_value text, actor text, sha text, confidence float8, ttl_seconds int, "timestamp" timestamptz, raw_line text, value_class text,
  environment text, url text, details jsonb, kept_seconds int);
