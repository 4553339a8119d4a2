-- One life of a change, as the copies name it: 36 characters of change key and eight of the second in which it appeared.
-- Called by: ingest_event, ingest_events, find_window, find_evidence, the sweep. A function to say it once; the planner puts
-- it in place of the call.
CREATE FUNCTION life_key_of(change_key uuid, appeared_at timestamptz) RETURNS text LANGUAGE sql STABLE AS $$
  SELECT change_key::text || lpad(to_hex(extract(epoch FROM appeared_at)::bigint), 8, '0')
$$;
