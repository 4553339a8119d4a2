-- What repeats of one change share, a hash of what it says; of where it happened, only if that was sent.
-- Called by: ingest_event, ingest_events. A function to say it once; the planner puts it in place of the call.
CREATE FUNCTION change_key_of_v1(event_type text, vendor text, entity text, old_value text, new_value text, actor text, sha text, environment text)
RETURNS uuid LANGUAGE sql STABLE AS $$
  SELECT md5(md5(event_type) || md5(vendor) || md5(entity) || coalesce(md5(old_value), '-') || '/' || coalesce(md5(new_value), '-')
    || '/' || coalesce(md5(actor), '-') || '/' || coalesce(md5(sha), '-') || coalesce('/' || md5(environment), ''))::uuid
$$;
