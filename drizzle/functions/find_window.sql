-- A service's window as Postgres knows it, now or `as_of` an instant: who reads it, the service if it is its tenant's, the
-- database's clock, and the live changes of the service and those that join it, the latest of each event type, each folded
-- over the occurrences of its present life. At most `sample_size` occurrences of each are looked at, the last to expire,
-- and each change says whether that was all; `with_text` also what each says. A change is an array: life key; id,
-- confidence, rule, time and time for ordering of the latest occurrence; first time, last receipt, expiry, first expiry,
-- count, whether all were counted, text.
--
-- `horizon`: the oldest transaction that was under way before the window was looked at. Whatever this look cannot have seen
-- was or will be written by it or a later one, whenever that commits.
-- `valid_until_ms`: when the first occurrence that is live now expires.
--
-- The reader is the key with this hash or, for the cron, a tenant itself.
-- Called by: requests for a window, the repair of copies, and read_window. A function because it is hot.
CREATE FUNCTION find_window_v1(key_hash text, own_tenant uuid, service uuid, as_of timestamptz, with_text boolean, sample_size int, per_type int)
RETURNS json
LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off SET jit = off AS $$
#variable_conflict use_column
DECLARE
  caller record;
  found_service record;
  instant timestamptz := coalesce(as_of, now());
  known_by timestamptz := coalesce(as_of, 'infinity');
  horizon xid8;
  valid_until timestamptz;
  changes json;
BEGIN
  IF own_tenant IS NULL THEN
    caller := resolve_caller(key_hash);
  ELSE
    SELECT own_tenant AS tenant_id, NULL::uuid AS api_key_id, 'readonly' AS key_type, NULL::uuid AS agent_id INTO caller;
  END IF;
  SELECT s.id, s.tenant_id, s.name, s.name_key INTO found_service FROM services s WHERE s.id = service AND s.tenant_id = caller.tenant_id;

  IF FOUND THEN
    -- Before the statement that looks, whose snapshot is therefore no older.
    horizon := pg_snapshot_xmin(pg_current_snapshot());
    -- PostgreSQL has no loose index scan: this steps from each change key of the service to the next, whatever lies between.
    WITH RECURSIVE own AS (
      (SELECT e.change_key FROM context_events e WHERE e.service_id = found_service.id ORDER BY e.change_key LIMIT 1)
      UNION ALL
      SELECT (SELECT e.change_key FROM context_events e WHERE e.service_id = found_service.id AND e.change_key > own.change_key ORDER BY e.change_key LIMIT 1)
      FROM own WHERE own.change_key IS NOT NULL
    ),
    sources AS (
      SELECT found_service.id AS service_id, change_key, 'service_name' AS rule FROM own WHERE change_key IS NOT NULL
      UNION ALL
      SELECT j.service_id, j.change_key, j.rule FROM change_joins j
      WHERE j.tenant_id = found_service.tenant_id AND j.name_key = found_service.name_key AND j.service_id <> found_service.id
    ),
    lives AS (
      SELECT s.*, life.* FROM sources s CROSS JOIN LATERAL (
        SELECT e.appeared_at, e.expires_at FROM context_events e
        WHERE e.service_id = s.service_id AND e.change_key = s.change_key AND e.expires_at > instant AND e.received_at <= known_by
        ORDER BY e.expires_at DESC LIMIT 1
      ) life
    ),
    folded AS (
      SELECT l.*, total.* FROM lives l CROSS JOIN LATERAL (
        SELECT count(*) AS occurrences, min(e."timestamp") AS first_timestamp, min(e.expires_at) AS first_expires_at,
          min(e.expires_at) FILTER (WHERE e.expires_at > instant) AS next_expires_at,
          max(e.received_at) FILTER (WHERE e.expires_at > instant) AS last_received_at,
          (array_agg(e.id ORDER BY least(e."timestamp", e.received_at) DESC, e.id) FILTER (WHERE e.expires_at > instant))[1] AS latest_id
        FROM (
          SELECT o.id, o."timestamp", o.received_at, o.expires_at FROM context_events o
          WHERE o.service_id = l.service_id AND o.change_key = l.change_key
            AND o.received_at >= l.appeared_at AND o.received_at <= known_by
          ORDER BY o.expires_at DESC LIMIT sample_size
        ) e
      ) total
    ),
    ranked AS (
      SELECT f.*, latest.*, row_number() OVER (PARTITION BY latest.event_type ORDER BY latest.ordered_at DESC, f.change_key) AS place
      FROM folded f CROSS JOIN LATERAL (
        SELECT e.event_type, e.vendor, e.entity, e.old_value, e.new_value, e.actor, e.sha, e.confidence, e."timestamp",
          least(e."timestamp", e.received_at) AS ordered_at
        FROM context_events e WHERE e.id = f.latest_id
      ) latest
    )
    SELECT json_agg(json_build_array(life_key_of(change_key, appeared_at), latest_id, confidence, rule, epoch_ms("timestamp"),
      epoch_ms(ordered_at), epoch_ms(first_timestamp), epoch_ms(last_received_at), epoch_ms(expires_at), epoch_ms(first_expires_at),
      occurrences, sample_size IS NULL OR occurrences < sample_size,
      CASE WHEN with_text THEN json_build_array(event_type, vendor, entity, left(old_value, 1024), left(new_value, 1024), actor, sha) END)),
      min(next_expires_at)
    INTO changes, valid_until FROM ranked WHERE place <= per_type;
  END IF;

  RETURN json_build_object('tenant_id', caller.tenant_id, 'api_key_id', caller.api_key_id, 'key_type', caller.key_type,
    'agent_id', caller.agent_id, 'service_id', found_service.id, 'service_name', found_service.name, 'now_ms', epoch_ms(instant),
    'horizon', horizon::text, 'valid_until_ms', epoch_ms(valid_until), 'changes', changes);
END
$$;
