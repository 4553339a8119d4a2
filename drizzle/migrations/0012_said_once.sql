-- How far `services.last_event_at` and `agents.last_seen_at` may be behind before an event writes to their rows.
-- Called by: ingest_event, ingest_events, receive_alert. A function to say it once; the planner puts the interval in place of
-- the call.
CREATE FUNCTION touch_interval_v1() RETURNS interval LANGUAGE sql IMMUTABLE AS $$
  SELECT interval '10 seconds'
$$;
--> statement-breakpoint
-- How far `api_keys.last_used_at` may be behind before a use of the key writes to its row.
-- Called by: ingest_event, read_window, resolve_caller. A function to say it once; the planner puts the interval in place of
-- the call.
CREATE FUNCTION key_touch_interval_v1() RETURNS interval LANGUAGE sql IMMUTABLE AS $$
  SELECT interval '50 seconds'
$$;
--> statement-breakpoint
-- The live key with this hash and its agent: a row of nulls when there is none. Touches `last_used_at` when it is older
-- than key_touch_interval, and never waits for another who does.
-- Called by: ingest_events, find_window, and the statements of requests that do nothing else in Postgres. A function because
-- it has to write only when a look says so.
CREATE FUNCTION resolve_caller_v1(key_hash text, OUT tenant_id uuid, OUT api_key_id uuid, OUT key_type text, OUT agent_id uuid, OUT agent_seen_at timestamptz)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  used_at timestamptz;
BEGIN
  SELECT k.tenant_id, k.id, k.key_type, a.id, a.last_seen_at, k.last_used_at
  INTO resolve_caller_v1.tenant_id, resolve_caller_v1.api_key_id, resolve_caller_v1.key_type, resolve_caller_v1.agent_id, resolve_caller_v1.agent_seen_at, used_at
  FROM api_keys k LEFT JOIN agents a ON a.api_key_id = k.id
  WHERE k.hash = key_hash AND k.revoked_at IS NULL;
  IF FOUND AND (used_at IS NULL OR used_at < now() - key_touch_interval_v1()) THEN
    UPDATE api_keys SET last_used_at = now()
    WHERE id = (SELECT k.id FROM api_keys k WHERE k.id = resolve_caller_v1.api_key_id FOR NO KEY UPDATE SKIP LOCKED);
  END IF;
END
$$;
--> statement-breakpoint
-- Stores events: resolves the key, checks its agent, claims the idempotency key, opens missing services, touches what is
-- stale, and stores what was not stored before. Answers the caller, the idempotency key's fate and what it stored, as
-- [id, life key, service id], and the services that joins name by now, as [name key, id]. Nothing is stored for a caller that may not.
-- Called by: batches of events, and ingest_event. A function because it is hot: planned once a connection, not once a request.
--
-- A plan that was made while the tables were small has to serve until they are analyzed again: nothing but look-ups, then.
-- Bitmap scans are off, for what looks up the last of many repeats must not gather them all first; so is JIT, for what a
-- function of JSON returns is estimated far too large.
--
-- Rows go in sorted, so that concurrent batches do not deadlock; ids are hashes, so that a row that exists already is the
-- same row; touches pass over rows that someone else is touching.
CREATE FUNCTION ingest_events_v2(key_hash text, idempotency_key text, body_hash text, service_names jsonb, events jsonb, joins jsonb) RETURNS json
LANGUAGE plpgsql SET enable_bitmapscan = off SET jit = off SET plan_cache_mode = force_generic_plan SET enable_seqscan = off
SET enable_hashjoin = off SET enable_mergejoin = off AS $$
#variable_conflict use_column
DECLARE
  caller record;
  claim text := 'none';
  created jsonb;
  joined_services jsonb;
  service_ids uuid[];
BEGIN
  caller := resolve_caller_v1(key_hash);

  IF caller.agent_id IS NOT NULL AND caller.key_type = 'ingest' AND idempotency_key IS NOT NULL THEN
    INSERT INTO idempotency_keys (api_key_id, key, body_hash)
    VALUES (caller.api_key_id, ingest_events_v2.idempotency_key, ingest_events_v2.body_hash) ON CONFLICT DO NOTHING;
    claim := 'fresh';
    IF NOT FOUND THEN
      SELECT CASE WHEN k.body_hash = ingest_events_v2.body_hash THEN 'replayed' ELSE 'conflict' END INTO claim
      FROM idempotency_keys k WHERE k.api_key_id = caller.api_key_id AND k.key = ingest_events_v2.idempotency_key;
      claim := coalesce(claim, 'fresh');
    END IF;
  END IF;

  IF caller.agent_id IS NOT NULL AND caller.key_type = 'ingest' AND claim IN ('none', 'fresh') AND jsonb_array_length(events) > 0 THEN
    -- Nearly always the services are there and were touched just now, and a look is all it takes.
    service_ids := ARRAY(SELECT service_id_of(caller.tenant_id, n.name) FROM jsonb_to_recordset(service_names) AS n(name text));
    IF (SELECT count(*) FROM services s WHERE s.id = ANY(service_ids) AND s.last_event_at >= now() - touch_interval_v1()) < cardinality(service_ids) THEN
      INSERT INTO services (id, tenant_id, agent_id, name, name_key)
      SELECT n.id, caller.tenant_id, caller.agent_id, n.name, n.name_key
      FROM (SELECT service_id_of(caller.tenant_id, s.name) AS id, s.name, s.name_key FROM jsonb_to_recordset(service_names) AS s(name text, name_key text)) n
      WHERE NOT EXISTS (SELECT 1 FROM services e WHERE e.id = n.id)
      ORDER BY n.id
      ON CONFLICT (id) DO NOTHING;

      UPDATE services SET last_event_at = now(), agent_id = caller.agent_id
      WHERE id = ANY(ARRAY(
        SELECT s.id FROM services s WHERE s.id = ANY(service_ids) AND s.last_event_at < now() - touch_interval_v1()
        ORDER BY s.id FOR NO KEY UPDATE SKIP LOCKED
      ));
    END IF;

    IF caller.agent_seen_at < now() - touch_interval_v1() THEN
      UPDATE agents SET last_seen_at = now()
      WHERE id = (SELECT a.id FROM agents a WHERE a.id = caller.agent_id FOR NO KEY UPDATE SKIP LOCKED);
    END IF;

    WITH sent AS (
      SELECT DISTINCT ON (e.id) e.*, service_id_of(caller.tenant_id, e.service_name) AS service_id,
        change_key_of(e.event_type, e.vendor, e.entity, e.old_value, e.new_value, e.actor, e.sha) AS change_key
      FROM jsonb_to_recordset(events) AS e(
        id uuid, place int, service_name text, vendor text, event_type text, entity text, old_value text, new_value text, actor text,
        sha text, confidence float8, ttl_seconds int, "timestamp" timestamptz, raw_line text, value_class text)
      ORDER BY e.id, e.place
    ),
    stored AS (
      INSERT INTO context_events (id, tenant_id, agent_id, service_id, service_name, vendor, event_type, entity, old_value,
        new_value, actor, sha, confidence, ttl_seconds, "timestamp", received_at, expires_at, raw_line, value_class, change_key, appeared_at)
      SELECT e.id, caller.tenant_id, caller.agent_id, e.service_id, e.service_name, e.vendor, e.event_type, e.entity, e.old_value,
        e.new_value, e.actor, e.sha, e.confidence, e.ttl_seconds, coalesce(e."timestamp", now()), now(),
        now() + make_interval(secs => e.ttl_seconds), e.raw_line, e.value_class, e.change_key,
        -- Whole seconds, so that clients whose first occurrences cross agree; no TTL is shorter, so that lives stay apart.
        coalesce((
          SELECT o.appeared_at FROM context_events o
          WHERE o.service_id = e.service_id AND o.change_key = e.change_key AND o.expires_at > now()
          ORDER BY o.expires_at DESC LIMIT 1
        ), date_trunc('second', now()))
      FROM sent e ORDER BY e.id
      ON CONFLICT (id) DO NOTHING
      RETURNING id, service_id, change_key, appeared_at
    )
    SELECT jsonb_agg(jsonb_build_array(id, life_key_of(change_key, appeared_at), service_id)) INTO created FROM stored;

    IF created IS NOT NULL AND jsonb_array_length(joins) > 0 THEN
      INSERT INTO change_joins AS c (tenant_id, name_key, service_id, change_key, rule, expires_at)
      SELECT DISTINCT ON (o.service_id, o.change_key, j.name_key) caller.tenant_id, j.name_key, o.service_id, o.change_key, j.rule,
        o.expires_at + interval '1 hour'
      FROM jsonb_to_recordset(joins) AS j(id uuid, name_key text, rule text) JOIN context_events o ON o.id = j.id
      WHERE NOT EXISTS (
        SELECT 1 FROM change_joins n WHERE n.service_id = o.service_id AND n.change_key = o.change_key
          AND n.name_key = j.name_key AND n.expires_at >= o.expires_at)
      ORDER BY o.service_id, o.change_key, j.name_key, o.expires_at DESC
      ON CONFLICT (service_id, change_key, name_key) DO UPDATE SET expires_at = greatest(c.expires_at, excluded.expires_at);

      SELECT jsonb_agg(jsonb_build_array(s.name_key, s.id)) INTO joined_services FROM services s
      WHERE s.tenant_id = caller.tenant_id AND s.name_key = ANY(ARRAY(SELECT j.name_key FROM jsonb_to_recordset(joins) AS j(name_key text)));
    END IF;
  END IF;

  RETURN json_build_object('tenant_id', caller.tenant_id, 'api_key_id', caller.api_key_id, 'key_type', caller.key_type,
    'agent_id', caller.agent_id, 'idempotency', claim, 'now_ms', epoch_ms(now()), 'created', created, 'joined_services', joined_services);
END
$$;
--> statement-breakpoint
-- Stores one event as ingest_events does, and answers the same, for a fraction: for a key, an agent and a service that are
-- there and were touched just now. Anything else it leaves to that function.
-- Called by: requests of one event. A function because it is the hottest statement: no call within the call, the service found
-- by its name instead of by a hash, and the answer written as text, for what builds JSON looks up how at every call.
CREATE FUNCTION ingest_event_v3(key_hash text, event sent_event_v1, join_keys text[], join_rules text[]) RETURNS json
LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
#variable_conflict use_column
DECLARE
  tenant uuid;
  api_key uuid;
  agent uuid;
  service uuid;
  is_fresh boolean;
  change uuid;
  appeared timestamptz;
  expiry timestamptz;
  joined text;
  known_joins int;
BEGIN
  SELECT k.tenant_id, k.id, a.id, s.id, k.key_type = 'ingest' AND k.last_used_at >= now() - key_touch_interval_v1()
    AND a.last_seen_at >= now() - touch_interval_v1() AND s.last_event_at >= now() - touch_interval_v1(),
    change_key_of(event.event_type, event.vendor, event.entity, event.old_value, event.new_value, event.actor, event.sha)
  INTO tenant, api_key, agent, service, is_fresh, change
  FROM api_keys k JOIN agents a ON a.api_key_id = k.id
    JOIN services s ON s.tenant_id = k.tenant_id AND s.name_key = event.name_key AND s.name = event.service_name
  WHERE k.hash = key_hash AND k.revoked_at IS NULL;

  IF is_fresh IS NOT TRUE THEN
    RETURN ingest_events_v2(key_hash, NULL, NULL, jsonb_build_array(jsonb_build_object('name', event.service_name, 'name_key', event.name_key)),
      jsonb_build_array(to_jsonb(event) || '{"place": 0}'),
      (SELECT coalesce(jsonb_agg(jsonb_build_object('id', event.id, 'name_key', j.name_key, 'rule', j.rule)), '[]')
        FROM unnest(join_keys, join_rules) AS j(name_key, rule)));
  END IF;

  INSERT INTO context_events AS e (id, tenant_id, agent_id, service_id, service_name, vendor, event_type, entity, old_value,
    new_value, actor, sha, confidence, ttl_seconds, "timestamp", received_at, expires_at, raw_line, value_class, change_key, appeared_at)
  VALUES (event.id, tenant, agent, service, event.service_name, event.vendor, event.event_type, event.entity, event.old_value,
    event.new_value, event.actor, event.sha, event.confidence, event.ttl_seconds, coalesce(event."timestamp", now()), now(),
    now() + make_interval(secs => event.ttl_seconds), event.raw_line, event.value_class, change, coalesce((
      SELECT o.appeared_at FROM context_events o WHERE o.service_id = service AND o.change_key = change AND o.expires_at > now()
      ORDER BY o.expires_at DESC LIMIT 1), date_trunc('second', now())))
  ON CONFLICT DO NOTHING RETURNING e.appeared_at, e.expires_at INTO appeared, expiry;

  IF appeared IS NOT NULL AND join_keys <> '{}' THEN
    SELECT array_to_string(ARRAY(
        SELECT '[' || to_json(s.name_key) || ',"' || s.id || '"]' FROM services s WHERE s.tenant_id = tenant AND s.name_key = ANY(join_keys)), ','),
      cardinality(ARRAY(
        SELECT 1 FROM change_joins j WHERE j.service_id = service AND j.change_key = change AND j.name_key = ANY(join_keys) AND j.expires_at >= expiry))
    INTO joined, known_joins;
    IF known_joins < cardinality(join_keys) THEN
      INSERT INTO change_joins AS c (tenant_id, name_key, service_id, change_key, rule, expires_at)
      SELECT tenant, j.name_key, service, change, j.rule, expiry + interval '1 hour' FROM unnest(join_keys, join_rules) AS j(name_key, rule)
      ORDER BY j.name_key
      ON CONFLICT (service_id, change_key, name_key) DO UPDATE SET expires_at = greatest(c.expires_at, excluded.expires_at);
    END IF;
  END IF;

  RETURN format('{"tenant_id":"%s","api_key_id":"%s","key_type":"ingest","agent_id":"%s","idempotency":"none","now_ms":%s,"joined_services":[%s],"created":[%s]}',
    tenant, api_key, agent, epoch_ms(now()), joined,
    CASE WHEN appeared IS NOT NULL THEN format('["%s","%s","%s"]', event.id, life_key_of(change, appeared), service) END);
END
$$;
--> statement-breakpoint
-- Takes in what a pager says of one of its incidents, or what an engineer asks about, with the work that follows from it: all
-- or nothing, in one request. A delivery that was taken before changes nothing. What comes in for one tenant comes in one after
-- the other, so that of a storm one incident leads and the others find it.
--
-- `alert`: kind (trigger, acknowledge or resolve), incident_id for a new one, service_name, name_key, title, url, triggered_at,
-- occurred_at, observed_until, external_source, external_ref, integration_id, delivery_id. `lease` and `lease_seconds` say who
-- begins the work at once and how long others leave it to them.
-- Called by: webhooks and questions. A function because each step depends on the one before, under one lock.
CREATE FUNCTION receive_alert_v2(tenant uuid, alert jsonb, fold_seconds int, lease uuid, lease_seconds int) RETURNS json
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  known_id uuid;
  leader_id uuid;
  found_service record;
  new_id uuid := (alert->>'incident_id')::uuid;
  source text := alert->>'external_source';
  ref text := alert->>'external_ref';
  triggered timestamptz := (alert->>'triggered_at')::timestamptz;
  resolved timestamptz;
BEGIN
  IF ref IS NOT NULL THEN
    PERFORM pg_advisory_xact_lock(hashtextextended('incidents of ' || tenant::text, 0));
    INSERT INTO deliveries (integration_id, delivery_id, tenant_id, kind, external_ref, occurred_at)
    VALUES ((alert->>'integration_id')::uuid, alert->>'delivery_id', tenant, alert->>'kind', ref, (alert->>'occurred_at')::timestamptz)
    ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN
      RETURN json_build_object('outcome', 'replayed');
    END IF;

    SELECT i.id INTO known_id FROM incidents i WHERE i.tenant_id = tenant AND i.external_source = source AND i.external_ref = ref;
    IF alert->>'kind' = 'resolve' THEN
      UPDATE incidents SET resolved_at = (alert->>'occurred_at')::timestamptz WHERE id = known_id AND resolved_at IS NULL;
      RETURN json_build_object('outcome', 'resolved', 'incident_id', known_id);
    END IF;
    IF known_id IS NOT NULL THEN
      RETURN json_build_object('outcome', 'known', 'incident_id', known_id);
    END IF;
    SELECT max(d.occurred_at) INTO resolved FROM deliveries d
    WHERE d.tenant_id = tenant AND d.external_ref = ref AND d.kind = 'resolve' AND d.occurred_at >= triggered;
  END IF;

  SELECT s.id, s.name INTO found_service FROM services s WHERE s.tenant_id = tenant AND s.name_key = alert->>'name_key'
  ORDER BY s.name = alert->>'service_name' DESC, s.last_event_at DESC, s.id LIMIT 1;
  IF NOT FOUND THEN
    INSERT INTO services (id, tenant_id, name, name_key, last_event_at)
    VALUES (service_id_of(tenant, alert->>'service_name'), tenant, alert->>'service_name', alert->>'name_key',
      -- Long enough ago for the first event to touch it.
      now() - touch_interval_v1() - interval '1 second')
    ON CONFLICT (id) DO NOTHING;
    SELECT service_id_of(tenant, alert->>'service_name') AS id, alert->>'service_name' AS name INTO found_service;
  END IF;

  IF ref IS NOT NULL THEN
    SELECT i.id INTO leader_id FROM incidents i
    WHERE i.tenant_id = tenant AND i.service_id = found_service.id AND i.external_ref IS NOT NULL AND i.diagnosis_of IS NULL
      AND i.resolved_at IS NULL
      AND i.triggered_at BETWEEN triggered - make_interval(secs => fold_seconds) AND triggered + make_interval(secs => fold_seconds)
    ORDER BY i.triggered_at, i.id LIMIT 1;
  END IF;

  INSERT INTO incidents (id, tenant_id, service_id, service_name, title, url, triggered_at, resolved_at, external_source, external_ref,
    integration_id, diagnosis_of, observed_until)
  VALUES (new_id, tenant, found_service.id, found_service.name, alert->>'title', alert->>'url', triggered, resolved, source, ref,
    (alert->>'integration_id')::uuid, leader_id, (alert->>'observed_until')::timestamptz);
  IF leader_id IS NOT NULL THEN
    RETURN json_build_object('outcome', 'folded', 'incident_id', new_id);
  END IF;
  INSERT INTO incident_work (incident_id, kind, number, tenant_id, state, next_at, attempts, lease)
  VALUES (new_id, 'diagnosis', 0, tenant, 'due', now() + make_interval(secs => lease_seconds), 1, lease);
  RETURN json_build_object('outcome', 'opened', 'incident_id', new_id);
END
$$;
--> statement-breakpoint
-- The live changes of a service's window at an `instant`: its own and those that join it, the latest of each event type, each
-- folded over the occurrences of its present life. Seen are occurrences received by `known_by` that happened, by their own
-- time, by `until`. At most `sample_size` of each are looked at, the last to expire, and each change says whether that was
-- all; `with_text` also what each says. A change is an array: life key; id, confidence, rule, time and time for ordering of the
-- latest occurrence; first time, last receipt, expiry, first expiry, count, whether all were counted, text.
--
-- `valid_until`: when the first occurrence that is live expires.
-- Called by: find_window and find_evidence, for both to take the same steps. A function because those need settings of their
-- own: look-ups only, whatever a plan from when the tables were small would have; no bitmap scans, for what looks up the last
-- of many repeats must not gather them all first; no JIT, for what a function of JSON returns is estimated far too large.
CREATE FUNCTION find_lives_v1(tenant uuid, service uuid, service_name_key text, instant timestamptz, known_by timestamptz, until timestamptz,
  with_text boolean, sample_size int, per_type int, OUT changes json, OUT valid_until timestamptz)
LANGUAGE plpgsql STABLE SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off SET jit = off AS $$
#variable_conflict use_column
BEGIN
  -- PostgreSQL has no loose index scan: this steps from each change key of the service to the next, whatever lies between.
  WITH RECURSIVE own AS (
    (SELECT e.change_key FROM context_events e WHERE e.service_id = service ORDER BY e.change_key LIMIT 1)
    UNION ALL
    SELECT (SELECT e.change_key FROM context_events e WHERE e.service_id = service AND e.change_key > own.change_key ORDER BY e.change_key LIMIT 1)
    FROM own WHERE own.change_key IS NOT NULL
  ),
  sources AS (
    SELECT service AS service_id, change_key, 'service_name' AS rule FROM own WHERE change_key IS NOT NULL
    UNION ALL
    SELECT j.service_id, j.change_key, j.rule FROM change_joins j
    WHERE j.tenant_id = tenant AND j.name_key = service_name_key AND j.service_id <> service
  ),
  lives AS (
    SELECT s.*, life.* FROM sources s CROSS JOIN LATERAL (
      SELECT e.appeared_at, e.expires_at FROM context_events e
      WHERE e.service_id = s.service_id AND e.change_key = s.change_key AND e.expires_at > instant AND e.received_at <= known_by AND e."timestamp" <= until
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
          AND o.received_at >= l.appeared_at AND o.received_at <= known_by AND o."timestamp" <= until
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
  INTO find_lives_v1.changes, find_lives_v1.valid_until FROM ranked WHERE place <= per_type;
END
$$;
--> statement-breakpoint
-- A service's window as Postgres knows it, now or `as_of` an instant: who reads it, the service if it is its tenant's, the
-- database's clock, and the changes that find_lives finds.
--
-- `horizon`: the oldest transaction that was under way before the window was looked at. Whatever this look cannot have seen
-- was or will be written by it or a later one, whenever that commits.
-- `valid_until_ms`: when the first occurrence that is live now expires.
--
-- The reader is the key with this hash or, for the cron, a tenant itself.
-- Called by: requests for a window, the repair of copies, and read_window. A function because it is hot.
CREATE FUNCTION find_window_v2(key_hash text, own_tenant uuid, service uuid, as_of timestamptz, with_text boolean, sample_size int, per_type int)
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
    SELECT l.changes, l.valid_until INTO changes, valid_until
    FROM find_lives_v1(found_service.tenant_id, found_service.id, found_service.name_key, instant, coalesce(as_of, 'infinity'), 'infinity', with_text,
      sample_size, per_type) l;
  END IF;

  RETURN json_build_object('tenant_id', caller.tenant_id, 'api_key_id', caller.api_key_id, 'key_type', caller.key_type,
    'agent_id', caller.agent_id, 'service_id', found_service.id, 'service_name', found_service.name, 'now_ms', epoch_ms(instant),
    'horizon', horizon::text, 'valid_until_ms', epoch_ms(valid_until), 'changes', changes);
END
$$;
--> statement-breakpoint
-- The live changes of a service as a diagnosis may see them: of what happened, by its own time, up to an instant, in
-- the rows of find_lives.
-- Called by: diagnoses, for each service that may matter. A function to be called for many services by one statement.
CREATE FUNCTION find_evidence_v2(own_tenant uuid, service uuid, until timestamptz, sample_size int, per_type int)
RETURNS json
LANGUAGE plpgsql STABLE SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
#variable_conflict use_column
DECLARE
  found_service record;
  changes json;
BEGIN
  SELECT s.id, s.name, s.name_key INTO found_service FROM services s WHERE s.id = service AND s.tenant_id = own_tenant;

  IF FOUND THEN
    SELECT l.changes INTO changes
    FROM find_lives_v1(own_tenant, found_service.id, found_service.name_key, now(), 'infinity', until, true, sample_size, per_type) l;
  END IF;

  RETURN json_build_object('service_id', found_service.id, 'service_name', found_service.name, 'changes', changes);
END
$$;
--> statement-breakpoint
-- What find_window answers now; or that the window is `unchanged` since it answered a `known_horizon` and `known_until`.
-- It is while nothing has expired, and no event of the service, or of one whose changes join it, was written by that
-- horizon's transaction or a later one. Expired events may have been deleted meanwhile, which changes nothing.
-- Called by: requests for a window that the isolate knows. A function because it is hot, and what it calls is seldom needed.
CREATE FUNCTION read_window_v3(key_hash text, service uuid, sample_size int, per_type int, known_horizon xid8, known_until timestamptz) RETURNS json
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
      SELECT 1 FROM change_joins j WHERE j.tenant_id = tenant AND j.name_key = key_of_name
        AND EXISTS (SELECT 1 FROM context_events e WHERE uuid_hash_extended(e.service_id, 0) = uuid_hash_extended(j.service_id, 0) AND e.written_by >= known_horizon))
  THEN
    RETURN json_build_object('tenant_id', tenant, 'api_key_id', api_key, 'key_type', 'readonly', 'agent_id', NULL, 'unchanged', true);
  END IF;
  RETURN find_window_v2(key_hash, NULL, service, NULL, false, sample_size, per_type);
END
$$;
