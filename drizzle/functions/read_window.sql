-- What find_window answers now; or that the window is `unchanged` since it answered a `known_horizon` and `known_until`.
-- It is while nothing has expired, and no event of the service, or of one whose changes join it, nor a flag that it evaluates, was
-- written by that horizon's transaction or a later one. Expired events may have been deleted meanwhile, which changes nothing.
-- Called by: requests for a window that the isolate knows. A function because it is hot, and what it calls is seldom needed.
CREATE FUNCTION read_window_v14(key_hash text, service uuid, sample_size int, per_type int, known_horizon xid8, known_until timestamptz) RETURNS json
LANGUAGE plpgsql SET enable_seqscan = off AS $$
#variable_conflict use_column
DECLARE
  tenant uuid;
  api_key uuid;
  key_of_name text;
BEGIN
  SELECT k.tenant_id, k.id, s.name_key INTO tenant, api_key, key_of_name
  FROM api_keys k JOIN services s ON s.tenant_id = k.tenant_id
  WHERE k.hash = key_hash AND k.revoked_at IS NULL AND k.key_type = 'readonly' AND k.last_used_at >= now() - key_touch_interval_v1()
    AND s.id = service AND known_until > now();

  IF FOUND AND NOT EXISTS (SELECT 1 FROM context_events e WHERE uuid_hash_extended(e.service_id, 0) = uuid_hash_extended(service, 0) AND e.written_by >= known_horizon)
    AND NOT EXISTS (
      SELECT 1 FROM (SELECT DISTINCT j.service_id FROM change_joins j WHERE j.tenant_id = tenant AND j.name_key = key_of_name) j
        WHERE EXISTS (SELECT 1 FROM context_events e WHERE uuid_hash_extended(e.service_id, 0) = uuid_hash_extended(j.service_id, 0) AND e.written_by >= known_horizon))
    AND NOT EXISTS (
      SELECT 1 FROM flag_evaluators f WHERE f.tenant_id = tenant AND f.service_id = service
        AND (f.written_by >= known_horizon OR EXISTS (
          SELECT 1 FROM (SELECT DISTINCT j.service_id FROM change_joins j WHERE j.tenant_id = tenant AND j.name_key = f.flag_key) j
            WHERE EXISTS (SELECT 1 FROM context_events e WHERE uuid_hash_extended(e.service_id, 0) = uuid_hash_extended(j.service_id, 0) AND e.written_by >= known_horizon))))
  THEN
    RETURN json_build_object('tenant_id', tenant, 'api_key_id', api_key, 'key_type', 'readonly', 'agent_id', NULL, 'unchanged', true);
  END IF;
  RETURN find_window_v13(key_hash, NULL, service, NULL, false, sample_size, per_type);
END
$$;
