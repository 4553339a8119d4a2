SET LOCAL statement_timeout = 0;
--> statement-breakpoint
-- What repeats of one change share, a hash of what it says; of where it happened, only if that was sent.
-- Called by: ingest_event, ingest_events. A function to say it once; the planner puts it in place of the call.
CREATE FUNCTION change_key_of_v1(event_type text, vendor text, entity text, old_value text, new_value text, actor text, sha text, environment text)
RETURNS uuid LANGUAGE sql STABLE AS $$
  SELECT md5(md5(event_type) || md5(vendor) || md5(entity) || coalesce(md5(old_value), '-') || '/' || coalesce(md5(new_value), '-')
    || '/' || coalesce(md5(actor), '-') || '/' || coalesce(md5(sha), '-') || coalesce('/' || md5(environment), ''))::uuid
$$;
--> statement-breakpoint
-- An event as an agent sent it: one argument, for Postgres looks at each argument of a call, and plans it, at every request.
-- `kept_seconds`: how long a change is kept for diagnoses; null for what is no change.
-- Taken by: ingest_event. Its columns stand in the order in which the Worker writes them.
CREATE TYPE sent_event_v2 AS (id uuid, service_name text, name_key text, vendor text, event_type text, entity text, old_value text,
  new_value text, actor text, sha text, confidence float8, ttl_seconds int, "timestamp" timestamptz, raw_line text, value_class text,
  environment text, url text, details jsonb, kept_seconds int);
--> statement-breakpoint
-- Notes that a change of the services with these name keys was received from an agent, and passes over those that someone else is
-- noting the same of.
-- Called by: ingest_event and ingest_events, for services whose windows a change joins. A function to say it once.
CREATE FUNCTION touch_changed_services_v1(tenant uuid, agent uuid, name_keys text[]) RETURNS void
LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
BEGIN
  UPDATE services u SET last_change_at = now(), last_change_agent_id = agent
  WHERE u.id = ANY(ARRAY(
    SELECT s.id FROM services s
    WHERE s.tenant_id = tenant AND s.name_key = ANY(name_keys) AND coalesce(s.last_change_at, '-infinity') < now() - touch_interval_v1()
    ORDER BY s.id FOR NO KEY UPDATE SKIP LOCKED
  ));
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
CREATE FUNCTION ingest_events_v3(key_hash text, idempotency_key text, body_hash text, service_names jsonb, events jsonb, joins jsonb) RETURNS json
LANGUAGE plpgsql SET enable_bitmapscan = off SET jit = off SET plan_cache_mode = force_generic_plan SET enable_seqscan = off
SET enable_hashjoin = off SET enable_mergejoin = off AS $$
#variable_conflict use_column
DECLARE
  caller record;
  claim text := 'none';
  created jsonb;
  joined_services jsonb;
  service_ids uuid[];
  changed_ids uuid[];
BEGIN
  caller := resolve_caller_v1(key_hash);

  IF caller.agent_id IS NOT NULL AND caller.key_type = 'ingest' AND idempotency_key IS NOT NULL THEN
    INSERT INTO idempotency_keys (api_key_id, key, body_hash)
    VALUES (caller.api_key_id, ingest_events_v3.idempotency_key, ingest_events_v3.body_hash) ON CONFLICT DO NOTHING;
    claim := 'fresh';
    IF NOT FOUND THEN
      SELECT CASE WHEN k.body_hash = ingest_events_v3.body_hash THEN 'replayed' ELSE 'conflict' END INTO claim
      FROM idempotency_keys k WHERE k.api_key_id = caller.api_key_id AND k.key = ingest_events_v3.idempotency_key;
      claim := coalesce(claim, 'fresh');
    END IF;
  END IF;

  IF caller.agent_id IS NOT NULL AND caller.key_type = 'ingest' AND claim IN ('none', 'fresh') AND jsonb_array_length(events) > 0 THEN
    -- Nearly always the services are there and were touched just now, and a look is all it takes. One that an event opens
    -- though it names another is there as well where its name is spelt in another way.
    service_ids := ARRAY(
      SELECT coalesce(
        CASE WHEN n.is_opened THEN (
          SELECT s.id FROM services s WHERE s.tenant_id = caller.tenant_id AND s.name_key = n.name_key
          ORDER BY s.name = n.name DESC, s.last_event_at DESC, s.id LIMIT 1) END,
        service_id_of(caller.tenant_id, n.name))
      FROM jsonb_to_recordset(service_names) AS n(name text, name_key text, is_opened boolean));
    changed_ids := ARRAY(
      SELECT service_id_of(caller.tenant_id, n.name) FROM jsonb_to_recordset(service_names) AS n(name text, is_changed boolean) WHERE n.is_changed);
    IF (SELECT count(*) FROM services s WHERE s.id = ANY(service_ids) AND s.last_event_at >= now() - touch_interval_v1()
        AND NOT (s.id = ANY(changed_ids) AND coalesce(s.last_change_at, '-infinity') < now() - touch_interval_v1())) < cardinality(service_ids) THEN
      INSERT INTO services (id, tenant_id, agent_id, name, name_key, last_change_at, last_change_agent_id)
      SELECT n.id, caller.tenant_id, caller.agent_id, n.name, n.name_key, CASE WHEN n.is_changed THEN now() END,
        CASE WHEN n.is_changed THEN caller.agent_id END
      FROM (
        SELECT service_id_of(caller.tenant_id, s.name) AS id, s.name, s.name_key, s.is_changed
        FROM jsonb_to_recordset(service_names) AS s(name text, name_key text, is_changed boolean)
      ) n
      WHERE n.id = ANY(service_ids) AND NOT EXISTS (SELECT 1 FROM services e WHERE e.id = n.id)
      ORDER BY n.id
      ON CONFLICT (id) DO NOTHING;

      UPDATE services SET last_event_at = now(), agent_id = caller.agent_id,
        last_change_at = CASE WHEN id = ANY(changed_ids) THEN now() ELSE last_change_at END,
        last_change_agent_id = CASE WHEN id = ANY(changed_ids) THEN caller.agent_id ELSE last_change_agent_id END
      WHERE id = ANY(ARRAY(
        SELECT s.id FROM services s WHERE s.id = ANY(service_ids) AND (s.last_event_at < now() - touch_interval_v1()
          OR s.id = ANY(changed_ids) AND coalesce(s.last_change_at, '-infinity') < now() - touch_interval_v1())
        ORDER BY s.id FOR NO KEY UPDATE SKIP LOCKED
      ));
    END IF;

    IF caller.agent_seen_at < now() - touch_interval_v1() THEN
      UPDATE agents SET last_seen_at = now()
      WHERE id = (SELECT a.id FROM agents a WHERE a.id = caller.agent_id FOR NO KEY UPDATE SKIP LOCKED);
    END IF;

    WITH sent AS (
      SELECT DISTINCT ON (e.id) e.*, service_id_of(caller.tenant_id, e.service_name) AS service_id,
        change_key_of_v1(e.event_type, e.vendor, e.entity, e.old_value, e.new_value, e.actor, e.sha, e.environment) AS change_key
      FROM jsonb_to_recordset(events) AS e(
        id uuid, place int, service_name text, vendor text, event_type text, entity text, old_value text, new_value text, actor text,
        sha text, confidence float8, ttl_seconds int, "timestamp" timestamptz, raw_line text, value_class text,
        environment text, url text, details jsonb, kept_seconds int)
      ORDER BY e.id, e.place
    ),
    stored AS (
      INSERT INTO context_events (id, tenant_id, agent_id, service_id, service_name, vendor, event_type, entity, old_value,
        new_value, actor, sha, environment, url, details, confidence, ttl_seconds, "timestamp", received_at, expires_at, kept_until,
        raw_line, value_class, change_key, appeared_at)
      SELECT e.id, caller.tenant_id, caller.agent_id, e.service_id, e.service_name, e.vendor, e.event_type, e.entity, e.old_value,
        e.new_value, e.actor, e.sha, e.environment, e.url, e.details, e.confidence, e.ttl_seconds, coalesce(e."timestamp", now()), now(),
        now() + make_interval(secs => e.ttl_seconds),
        -- Null while the last occurrence is of the same minute.
        CASE WHEN date_trunc('minute', last.received_at) = date_trunc('minute', now()) THEN NULL
          ELSE now() + make_interval(secs => greatest(e.kept_seconds, CASE WHEN e.kept_seconds IS NOT NULL THEN e.ttl_seconds END)) END,
        e.raw_line, e.value_class, e.change_key,
        -- Whole seconds, so that clients whose first occurrences cross agree; no TTL is shorter, so that lives stay apart.
        coalesce(last.appeared_at, date_trunc('second', now()))
      FROM sent e LEFT JOIN LATERAL (
        SELECT o.appeared_at, o.received_at FROM context_events o
        WHERE o.service_id = e.service_id AND o.change_key = e.change_key AND o.expires_at > now()
        ORDER BY o.expires_at DESC LIMIT 1
      ) last ON true
      ORDER BY e.id
      ON CONFLICT (id) DO NOTHING
      RETURNING id, service_id, change_key, appeared_at
    )
    SELECT jsonb_agg(jsonb_build_array(id, life_key_of(change_key, appeared_at), service_id)) INTO created FROM stored;

    IF created IS NOT NULL AND jsonb_array_length(joins) > 0 THEN
      INSERT INTO change_joins AS c (tenant_id, name_key, service_id, change_key, rule, expires_at)
      SELECT DISTINCT ON (o.service_id, o.change_key, j.name_key) caller.tenant_id, j.name_key, o.service_id, o.change_key, j.rule,
        coalesce(o.kept_until, o.expires_at) + interval '1 hour'
      FROM jsonb_to_recordset(joins) AS j(id uuid, name_key text, rule text) JOIN context_events o ON o.id = j.id
      WHERE NOT EXISTS (
        SELECT 1 FROM change_joins n WHERE n.service_id = o.service_id AND n.change_key = o.change_key
          AND n.name_key = j.name_key AND n.expires_at >= coalesce(o.kept_until, o.expires_at))
      ORDER BY o.service_id, o.change_key, j.name_key, coalesce(o.kept_until, o.expires_at) DESC
      ON CONFLICT (service_id, change_key, name_key) DO UPDATE SET expires_at = greatest(c.expires_at, excluded.expires_at);

      PERFORM touch_changed_services_v1(caller.tenant_id, caller.agent_id, ARRAY(
        SELECT DISTINCT j.name_key FROM jsonb_to_recordset(joins) AS j(id uuid, name_key text)
          JOIN jsonb_to_recordset(events) AS e(id uuid, kept_seconds int) ON e.id = j.id WHERE e.kept_seconds IS NOT NULL));

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
CREATE FUNCTION ingest_event_v4(key_hash text, event sent_event_v2, join_keys text[], join_rules text[]) RETURNS json
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
  ending timestamptz;
  joined text;
  known_joins int;
  is_change boolean := event.kept_seconds IS NOT NULL;
BEGIN
  SELECT k.tenant_id, k.id, a.id, s.id, k.key_type = 'ingest' AND k.last_used_at >= now() - key_touch_interval_v1()
    AND a.last_seen_at >= now() - touch_interval_v1() AND s.last_event_at >= now() - touch_interval_v1()
      AND NOT (is_change AND coalesce(s.last_change_at, '-infinity') < now() - touch_interval_v1()),
    change_key_of_v1(event.event_type, event.vendor, event.entity, event.old_value, event.new_value, event.actor, event.sha, event.environment)
  INTO tenant, api_key, agent, service, is_fresh, change
  FROM api_keys k JOIN agents a ON a.api_key_id = k.id
    JOIN services s ON s.tenant_id = k.tenant_id AND s.name_key = event.name_key AND s.name = event.service_name
  WHERE k.hash = key_hash AND k.revoked_at IS NULL;

  IF is_fresh IS NOT TRUE THEN
    RETURN ingest_events_v3(key_hash, NULL, NULL, jsonb_build_array(jsonb_build_object('name', event.service_name,
        'name_key', event.name_key, 'is_opened', false, 'is_changed', is_change)),
      jsonb_build_array(to_jsonb(event) || '{"place": 0}'),
      (SELECT coalesce(jsonb_agg(jsonb_build_object('id', event.id, 'name_key', j.name_key, 'rule', j.rule)), '[]')
        FROM unnest(join_keys, join_rules) AS j(name_key, rule)));
  END IF;

  INSERT INTO context_events AS e (id, tenant_id, agent_id, service_id, service_name, vendor, event_type, entity, old_value,
    new_value, actor, sha, environment, url, details, confidence, ttl_seconds, "timestamp", received_at, expires_at, kept_until, raw_line,
    value_class, change_key, appeared_at)
  SELECT event.id, tenant, agent, service, event.service_name, event.vendor, event.event_type, event.entity, event.old_value,
    event.new_value, event.actor, event.sha, event.environment, event.url, event.details, event.confidence, event.ttl_seconds,
    coalesce(event."timestamp", now()), now(), now() + make_interval(secs => event.ttl_seconds),
    -- Null while the last occurrence is of the same minute.
    CASE WHEN date_trunc('minute', last.received_at) = date_trunc('minute', now()) THEN NULL
      ELSE now() + make_interval(secs => greatest(event.kept_seconds, CASE WHEN is_change THEN event.ttl_seconds END)) END,
    event.raw_line, event.value_class, change, coalesce(last.appeared_at, date_trunc('second', now()))
  FROM (VALUES (1)) one LEFT JOIN LATERAL (
    SELECT o.appeared_at, o.received_at FROM context_events o WHERE o.service_id = service AND o.change_key = change AND o.expires_at > now()
    ORDER BY o.expires_at DESC LIMIT 1
  ) last ON true
  ON CONFLICT DO NOTHING RETURNING e.appeared_at, coalesce(e.kept_until, e.expires_at) INTO appeared, ending;

  IF appeared IS NOT NULL AND join_keys <> '{}' THEN
    SELECT array_to_string(ARRAY(
        SELECT '[' || to_json(s.name_key) || ',"' || s.id || '"]' FROM services s WHERE s.tenant_id = tenant AND s.name_key = ANY(join_keys)), ','),
      cardinality(ARRAY(
        SELECT 1 FROM change_joins j WHERE j.service_id = service AND j.change_key = change AND j.name_key = ANY(join_keys) AND j.expires_at >= ending))
    INTO joined, known_joins;
    IF known_joins < cardinality(join_keys) THEN
      INSERT INTO change_joins AS c (tenant_id, name_key, service_id, change_key, rule, expires_at)
      SELECT tenant, j.name_key, service, change, j.rule, ending + interval '1 hour' FROM unnest(join_keys, join_rules) AS j(name_key, rule)
      ORDER BY j.name_key
      ON CONFLICT (service_id, change_key, name_key) DO UPDATE SET expires_at = greatest(c.expires_at, excluded.expires_at);
    END IF;
    IF is_change THEN
      PERFORM touch_changed_services_v1(tenant, agent, join_keys);
    END IF;
  END IF;

  RETURN format('{"tenant_id":"%s","api_key_id":"%s","key_type":"ingest","agent_id":"%s","idempotency":"none","now_ms":%s,"joined_services":[%s],"created":[%s]}',
    tenant, api_key, agent, epoch_ms(now()), joined,
    CASE WHEN appeared IS NOT NULL THEN format('["%s","%s","%s"]', event.id, life_key_of(change, appeared), service) END);
END
$$;
--> statement-breakpoint
-- The live changes of a service's window at an `instant`: its own and those that join it, the latest of each event type, each
-- folded over the occurrences of its present life. Seen are occurrences received by `known_by` that happened by `until`, none
-- later than it was received, whatever its sender's clock said. `with_kept` also lives that are over and kept for diagnoses.
-- At most `sample_size` of each are looked at, the last to expire, and each change says whether that was all; `with_text` also
-- what each says. A change is an array: life key; id, confidence, rule, time and time for ordering of the latest occurrence;
-- first time, last receipt, expiry, first expiry, count, whether all were counted; address and details of the latest
-- occurrence; whether it has expired; text.
--
-- `valid_until`: when the first occurrence that is live expires.
-- Called by: find_window and find_evidence, for both to take the same steps. A function because those need settings of their
-- own: look-ups only, whatever a plan from when the tables were small would have; no bitmap scans, for what looks up the last
-- of many repeats must not gather them all first; no JIT, for what a function of JSON returns is estimated far too large.
CREATE FUNCTION find_lives_v2(tenant uuid, service uuid, service_name_key text, instant timestamptz, known_by timestamptz, until timestamptz,
  with_kept boolean, with_text boolean, sample_size int, per_type int, OUT changes json, OUT valid_until timestamptz)
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
      SELECT e.appeared_at, e.expires_at, false AS is_over FROM context_events e
      WHERE e.service_id = s.service_id AND e.change_key = s.change_key AND e.expires_at > instant AND e.received_at <= known_by
        AND least(e."timestamp", e.received_at) <= until
      ORDER BY e.expires_at DESC LIMIT 1
    ) life
    UNION ALL
    SELECT s.*, life.* FROM sources s CROSS JOIN LATERAL (
      SELECT (
        SELECT e.appeared_at FROM context_events e
        WHERE e.service_id = s.service_id AND e.change_key = s.change_key AND e.expires_at > instant
        ORDER BY e.expires_at DESC LIMIT 1
      ) AS appeared_at
    ) present CROSS JOIN LATERAL (
      SELECT k.appeared_at, max(k.expires_at), true FROM (
        SELECT e.appeared_at, e.expires_at FROM context_events e
        WHERE e.service_id = s.service_id AND e.change_key = s.change_key AND e.expires_at <= instant AND e.kept_until > instant
          AND e.received_at <= known_by AND least(e."timestamp", e.received_at) <= until
          AND (present.appeared_at IS NULL OR e.appeared_at < present.appeared_at)
        ORDER BY e.expires_at DESC LIMIT sample_size
      ) k
      GROUP BY k.appeared_at
    ) life
    WHERE with_kept
  ),
  folded AS (
    SELECT l.*, total.* FROM lives l CROSS JOIN LATERAL (
      SELECT count(*) AS occurrences, min(e.happened_at) AS first_timestamp, min(e.expires_at) AS first_expires_at,
        min(e.expires_at) FILTER (WHERE e.expires_at > instant) AS next_expires_at,
        max(e.received_at) FILTER (WHERE e.expires_at > instant OR l.is_over) AS last_received_at,
        (array_agg(e.id ORDER BY e.happened_at DESC, e.id) FILTER (WHERE e.expires_at > instant OR l.is_over))[1] AS latest_id
      FROM (
        SELECT o.id, least(o."timestamp", o.received_at) AS happened_at, o.received_at, o.expires_at FROM context_events o
        WHERE o.service_id = l.service_id AND o.change_key = l.change_key AND o.expires_at > l.appeared_at AND o.expires_at <= l.expires_at
          AND o.received_at >= l.appeared_at AND o.received_at <= known_by AND least(o."timestamp", o.received_at) <= until
        ORDER BY o.expires_at DESC LIMIT sample_size
      ) e
    ) total
  ),
  ranked AS (
    SELECT f.*, latest.*, row_number() OVER (PARTITION BY latest.event_type ORDER BY latest.ordered_at DESC, f.change_key) AS place
    FROM folded f CROSS JOIN LATERAL (
      SELECT e.event_type, e.vendor, e.entity, e.old_value, e.new_value, e.actor, e.sha, e.environment, e.url, e.details, e.confidence,
        e."timestamp", least(e."timestamp", e.received_at) AS ordered_at
      FROM context_events e WHERE e.id = f.latest_id
    ) latest
  )
  SELECT json_agg(json_build_array(life_key_of(change_key, appeared_at), latest_id, confidence, rule, epoch_ms("timestamp"),
    epoch_ms(ordered_at), epoch_ms(first_timestamp), epoch_ms(last_received_at), epoch_ms(expires_at), epoch_ms(first_expires_at),
    occurrences, sample_size IS NULL OR occurrences < sample_size, url, details, is_over,
    CASE WHEN with_text THEN json_build_array(event_type, vendor, entity, left(old_value, 1024), left(new_value, 1024), actor, sha, environment) END)),
    min(next_expires_at)
  INTO find_lives_v2.changes, find_lives_v2.valid_until FROM ranked WHERE place <= per_type;
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
CREATE FUNCTION find_window_v3(key_hash text, own_tenant uuid, service uuid, as_of timestamptz, with_text boolean, sample_size int, per_type int)
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
    FROM find_lives_v2(found_service.tenant_id, found_service.id, found_service.name_key, instant, coalesce(as_of, 'infinity'), 'infinity',
      false, with_text, sample_size, per_type) l;
  END IF;

  RETURN json_build_object('tenant_id', caller.tenant_id, 'api_key_id', caller.api_key_id, 'key_type', caller.key_type,
    'agent_id', caller.agent_id, 'service_id', found_service.id, 'service_name', found_service.name, 'now_ms', epoch_ms(instant),
    'horizon', horizon::text, 'valid_until_ms', epoch_ms(valid_until), 'changes', changes);
END
$$;
--> statement-breakpoint
-- The changes of a service as a diagnosis may see them: of what happened up to an instant, and those that have expired but are
-- kept, in the rows of find_lives.
-- Called by: diagnoses, for each service that may matter. A function to be called for many services by one statement.
CREATE FUNCTION find_evidence_v3(own_tenant uuid, service uuid, until timestamptz, sample_size int, per_type int)
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
    FROM find_lives_v2(own_tenant, found_service.id, found_service.name_key, now(), 'infinity', until, true, true, sample_size, per_type) l;
  END IF;

  RETURN json_build_object('service_id', found_service.id, 'service_name', found_service.name, 'changes', changes);
END
$$;
--> statement-breakpoint
-- What find_window answers now; or that the window is `unchanged` since it answered a `known_horizon` and `known_until`.
-- It is while nothing has expired, and no event of the service, or of one whose changes join it, was written by that
-- horizon's transaction or a later one. Expired events may have been deleted meanwhile, which changes nothing.
-- Called by: requests for a window that the isolate knows. A function because it is hot, and what it calls is seldom needed.
CREATE FUNCTION read_window_v4(key_hash text, service uuid, sample_size int, per_type int, known_horizon xid8, known_until timestamptz) RETURNS json
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
  RETURN find_window_v3(key_hash, NULL, service, NULL, false, sample_size, per_type);
END
$$;
--> statement-breakpoint
-- Takes in what a pager says of one of its incidents, or what an engineer asks about, with the work that follows from it: all
-- or nothing, in one request. A delivery that was taken before changes nothing. What comes in for one tenant comes in one after
-- the other, so that of a storm one incident leads and the others find it.
--
-- `alert`: kind (trigger, acknowledge or resolve), incident_id for a new one, service_name, name_key, title, url, triggered_at,
-- occurred_at, observed_until, environment (null: production), external_source, external_ref, integration_id, delivery_id. `lease` and `lease_seconds` say who
-- begins the work at once and how long others leave it to them.
-- Called by: webhooks and questions. A function because each step depends on the one before, under one lock.
CREATE FUNCTION receive_alert_v3(tenant uuid, alert jsonb, fold_seconds int, lease uuid, lease_seconds int) RETURNS json
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
      AND i.resolved_at IS NULL AND i.environment IS NOT DISTINCT FROM alert->>'environment'
      AND i.triggered_at BETWEEN triggered - make_interval(secs => fold_seconds) AND triggered + make_interval(secs => fold_seconds)
    ORDER BY i.triggered_at, i.id LIMIT 1;
  END IF;

  INSERT INTO incidents (id, tenant_id, service_id, service_name, title, url, triggered_at, resolved_at, external_source, external_ref,
    integration_id, diagnosis_of, observed_until, environment)
  VALUES (new_id, tenant, found_service.id, found_service.name, alert->>'title', alert->>'url', triggered, resolved, source, ref,
    (alert->>'integration_id')::uuid, leader_id, (alert->>'observed_until')::timestamptz, alert->>'environment');
  IF leader_id IS NOT NULL THEN
    RETURN json_build_object('outcome', 'folded', 'incident_id', new_id);
  END IF;
  INSERT INTO incident_work (incident_id, kind, number, tenant_id, state, next_at, attempts, lease)
  VALUES (new_id, 'diagnosis', 0, tenant, 'due', now() + make_interval(secs => lease_seconds), 1, lease);
  RETURN json_build_object('outcome', 'opened', 'incident_id', new_id);
END
$$;
