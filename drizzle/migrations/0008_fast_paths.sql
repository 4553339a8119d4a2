-- Left to itself, Postgres planned `ingest_events_v1` anew at every call, for it takes whatever unpacks JSON for larger than
-- it is: half of a single event's cost. What the function does stays as it is, so the previous Worker may go on calling
-- it. A plan that was made while the tables were small has to serve until they are analyzed again: nothing but look-ups,
-- then, here and in the functions below.
ALTER FUNCTION ingest_events_v1 SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off;
--> statement-breakpoint
-- Joins a service's change, which lives until `expiry` or longer, to the services that have these names now or later.
-- Answers those that exist, as [name key, id].
CREATE FUNCTION join_change_v1(tenant uuid, service uuid, change uuid, expiry timestamptz, name_keys text[], rules text[]) RETURNS json
LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
DECLARE
  joined json;
BEGIN
  IF (SELECT count(*) FROM change_joins j WHERE j.service_id = service AND j.change_key = change AND j.name_key = ANY(name_keys)
      AND j.expires_at >= expiry) < cardinality(name_keys) THEN
    INSERT INTO change_joins AS c (tenant_id, name_key, service_id, change_key, rule, expires_at)
    SELECT tenant, j.name_key, service, change, j.rule, expiry + interval '1 hour' FROM unnest(name_keys, rules) AS j(name_key, rule)
    ORDER BY j.name_key
    ON CONFLICT (service_id, change_key, name_key) DO UPDATE SET expires_at = greatest(c.expires_at, excluded.expires_at);
  END IF;
  SELECT json_agg(json_build_array(s.name_key, s.id)) INTO joined FROM services s WHERE s.tenant_id = tenant AND s.name_key = ANY(name_keys);
  RETURN joined;
END
$$;
--> statement-breakpoint
-- Stores one event as `ingest_events_v1` does, and answers the same, at a fraction of the cost: for a key, an agent and a
-- service that are there and were touched just now. Anything else it leaves to that function.
CREATE FUNCTION ingest_event_v1(key_hash text, id uuid, service_name text, name_key text, vendor text, event_type text, entity text,
  old_value text, new_value text, actor text, sha text, confidence float8, ttl_seconds int, sent_timestamp timestamptz, raw_line text,
  value_class text, join_keys text[], join_rules text[]) RETURNS json
LANGUAGE plpgsql SET enable_seqscan = off AS $$
#variable_conflict use_column
DECLARE
  tenant uuid;
  api_key uuid;
  agent uuid;
  service uuid;
  is_fresh boolean;
  change uuid;
  expiry timestamptz := now() + make_interval(secs => ttl_seconds);
  appeared timestamptz;
  joined json;
BEGIN
  SELECT k.tenant_id, k.id, a.id, s.id, k.key_type = 'ingest' AND k.last_used_at >= now() - interval '50 seconds'
    AND a.last_seen_at >= now() - interval '10 seconds' AND s.last_event_at >= now() - interval '10 seconds'
  INTO tenant, api_key, agent, service, is_fresh
  FROM api_keys k JOIN agents a ON a.api_key_id = k.id JOIN services s ON s.id = service_id_of(k.tenant_id, ingest_event_v1.service_name)
  WHERE k.hash = key_hash AND k.revoked_at IS NULL;

  IF is_fresh IS NOT TRUE THEN
    RETURN ingest_events_v1(key_hash, NULL, NULL, jsonb_build_array(jsonb_build_object('name', service_name, 'name_key', name_key)),
      jsonb_build_array(jsonb_build_object('id', id, 'place', 0, 'service_name', service_name, 'vendor', vendor, 'event_type', event_type,
        'entity', entity, 'old_value', old_value, 'new_value', new_value, 'actor', actor, 'sha', sha, 'confidence', confidence,
        'ttl_seconds', ttl_seconds, 'timestamp', sent_timestamp, 'raw_line', raw_line, 'value_class', value_class)),
      (SELECT coalesce(jsonb_agg(jsonb_build_object('id', ingest_event_v1.id, 'name_key', j.name_key, 'rule', j.rule)), '[]')
        FROM unnest(join_keys, join_rules) AS j(name_key, rule)));
  END IF;

  change := change_key_of(event_type, vendor, entity, old_value, new_value, actor, sha);
  INSERT INTO context_events AS e (id, tenant_id, agent_id, service_id, service_name, vendor, event_type, entity, old_value,
    new_value, actor, sha, confidence, ttl_seconds, "timestamp", received_at, expires_at, raw_line, value_class, change_key, appeared_at)
  VALUES (id, tenant, agent, service, service_name, vendor, event_type, entity, old_value, new_value, actor, sha, confidence, ttl_seconds,
    coalesce(sent_timestamp, now()), now(), expiry, raw_line, value_class, change, coalesce((
      SELECT o.appeared_at FROM context_events o WHERE o.service_id = service AND o.change_key = change AND o.expires_at > now()
      ORDER BY o.expires_at DESC LIMIT 1), date_trunc('second', now())))
  ON CONFLICT DO NOTHING RETURNING e.appeared_at INTO appeared;

  IF appeared IS NOT NULL AND cardinality(join_keys) > 0 THEN
    joined := join_change_v1(tenant, service, change, expiry, join_keys, join_rules);
  END IF;

  RETURN json_build_object('tenant_id', tenant, 'api_key_id', api_key, 'key_type', 'ingest', 'agent_id', agent, 'idempotency', 'none',
    'now_ms', epoch_ms(now()), 'joined_services', joined, 'created',
    CASE WHEN appeared IS NOT NULL THEN json_build_array(json_build_array(id, life_key_of(change, appeared), service)) END);
END
$$;
--> statement-breakpoint
-- What `read_window_v1` answers, and besides:
--
-- `horizon`: the oldest transaction that was under way before the window was looked at. Whatever this look cannot have seen
-- was or will be written by it or a later one, whenever that commits.
-- `valid_until_ms`: when the first occurrence that is live now expires.
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
--> statement-breakpoint
-- What `find_window_v1` answers now; or that the window is `unchanged` since it answered a `known_horizon` and `known_until`.
-- It is while nothing has expired, and no event of the service, or of one whose changes join it, was written by that
-- horizon's transaction or a later one. Expired events may have been deleted meanwhile, which changes nothing.
CREATE FUNCTION read_window_v2(key_hash text, service uuid, sample_size int, per_type int, known_horizon xid8, known_until timestamptz) RETURNS json
LANGUAGE plpgsql SET enable_seqscan = off AS $$
#variable_conflict use_column
DECLARE
  tenant uuid;
  api_key uuid;
  key_of_name text;
BEGIN
  SELECT k.tenant_id, k.id, s.name_key INTO tenant, api_key, key_of_name
  FROM api_keys k JOIN services s ON s.tenant_id = k.tenant_id
  WHERE k.hash = key_hash AND k.revoked_at IS NULL AND k.key_type = 'readonly' AND k.last_used_at >= now() - interval '50 seconds'
    AND s.id = service AND known_until > now();

  IF FOUND AND NOT EXISTS (SELECT 1 FROM context_events e WHERE uuid_hash_extended(e.service_id, 0) = uuid_hash_extended(service, 0) AND e.written_by >= known_horizon)
    AND NOT EXISTS (
      SELECT 1 FROM change_joins j WHERE j.tenant_id = tenant AND j.name_key = key_of_name
        AND EXISTS (SELECT 1 FROM context_events e WHERE uuid_hash_extended(e.service_id, 0) = uuid_hash_extended(j.service_id, 0) AND e.written_by >= known_horizon))
  THEN
    RETURN json_build_object('tenant_id', tenant, 'api_key_id', api_key, 'key_type', 'readonly', 'agent_id', NULL, 'unchanged', true);
  END IF;
  RETURN find_window_v1(key_hash, NULL, service, NULL, false, sample_size, per_type);
END
$$;
