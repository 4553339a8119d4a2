-- A service's window as Postgres knows it, now or `as_of` an instant: who reads it, the service if it is its tenant's, the
-- database's clock, and the changes that find_lives finds.
--
-- `horizon`: the oldest transaction that was under way before the window was looked at. Whatever this look cannot have seen
-- was or will be written by it or a later one, whenever that commits.
-- `valid_until_ms`: when the first occurrence that is live now expires.
--
-- The reader is the key with this hash or, for the cron, a tenant itself.
-- Called by: requests for a window, the repair of copies, and read_window. A function because it is hot.
CREATE FUNCTION find_window_v13(key_hash text, own_tenant uuid, service uuid, as_of timestamptz, with_text boolean, sample_size int, per_type int)
RETURNS json
LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
#variable_conflict use_column
DECLARE
  caller record;
  found_service record;
  instant timestamptz := coalesce(as_of, now());
  horizon xid8;
  valid_until timestamptz;
  changes json;
  is_part boolean;
BEGIN
  IF own_tenant IS NULL THEN
    caller := resolve_caller_v1(key_hash);
  ELSE
    SELECT own_tenant AS tenant_id, NULL::uuid AS api_key_id, 'readonly' AS key_type, NULL::uuid AS agent_id INTO caller;
  END IF;
  SELECT s.id, s.tenant_id, s.name, s.name_key INTO found_service FROM services s WHERE s.id = service AND s.tenant_id = caller.tenant_id;

  IF FOUND THEN
    -- Before the statement that looks, whose snapshot is therefore no older.
    horizon := pg_snapshot_xmin(pg_current_snapshot());
    SELECT l.changes, l.valid_until, l.is_part INTO changes, valid_until, is_part
    FROM find_lives_v12(found_service.tenant_id, found_service.id, found_service.name_key, instant, coalesce(as_of, 'infinity'), 'infinity',
      false, with_text, sample_size, per_type) l;
  END IF;

  RETURN json_build_object('tenant_id', caller.tenant_id, 'api_key_id', caller.api_key_id, 'key_type', caller.key_type,
    'agent_id', caller.agent_id, 'service_id', found_service.id, 'service_name', found_service.name, 'now_ms', epoch_ms(instant),
    'horizon', horizon::text, 'valid_until_ms', epoch_ms(valid_until), 'is_part', is_part,
    'changes', changes);
END
$$;
