-- What repeats of one change share, a hash of what it says.
-- Called by: ingest_event, ingest_events. A function to say it once; the planner puts it in place of the call.
CREATE FUNCTION change_key_of(event_type text, vendor text, entity text, old_value text, new_value text, actor text, sha text) RETURNS uuid
LANGUAGE sql STABLE AS $$
  SELECT md5(md5(event_type) || md5(vendor) || md5(entity) || coalesce(md5(old_value), '-') || '/' || coalesce(md5(new_value), '-')
    || '/' || coalesce(md5(actor), '-') || '/' || coalesce(md5(sha), '-'))::uuid
$$;
