-- The statements of the hot paths, as functions: one round trip each, like the statements they replace, but planned once a
-- connection instead of once a request, which cost several times what running them did.
--
-- A function is never changed once it is released, for the previous Worker may still be calling it: a later migration
-- adds the next version under a new name, and one after that drops this one.

-- These four are expressions with a name. They are STABLE and without a FROM so that the planner puts them in place: called
-- as functions they cost more than all the rest of a statement.

-- A UUID of version 8 (RFC 9562) made of a hash: clients that open a service at once agree on its id.
CREATE FUNCTION service_id_of(tenant uuid, service_name text) RETURNS uuid LANGUAGE sql STABLE AS $$
  SELECT overlay(overlay(left(encode(sha256(convert_to(tenant::text || '/' || service_name, 'UTF8')), 'hex'), 32)
    PLACING '8' FROM 13 FOR 1) PLACING '8' FROM 17 FOR 1)::uuid
$$;
--> statement-breakpoint
CREATE FUNCTION change_key_of(event_type text, vendor text, entity text, old_value text, new_value text, actor text, sha text) RETURNS uuid
LANGUAGE sql STABLE AS $$
  SELECT md5(md5(event_type) || md5(vendor) || md5(entity) || coalesce(md5(old_value), '-') || '/' || coalesce(md5(new_value), '-')
    || '/' || coalesce(md5(actor), '-') || '/' || coalesce(md5(sha), '-'))::uuid
$$;
--> statement-breakpoint
-- One life of a change, as the copies name it: 36 characters of change key and eight of the second in which it appeared.
CREATE FUNCTION life_key_of(change_key uuid, appeared_at timestamptz) RETURNS text LANGUAGE sql STABLE AS $$
  SELECT change_key::text || lpad(to_hex(extract(epoch FROM appeared_at)::bigint), 8, '0')
$$;
--> statement-breakpoint
CREATE FUNCTION epoch_ms(instant timestamptz) RETURNS float8 LANGUAGE sql STABLE AS $$
  SELECT floor(extract(epoch FROM instant) * 1000)::float8
$$;
--> statement-breakpoint
-- The live key with this hash and its agent: a row of nulls when there is none. Touches `last_used_at` at most once in
-- 50 s, and never waits for another who does.
CREATE FUNCTION resolve_caller(key_hash text, OUT tenant_id uuid, OUT api_key_id uuid, OUT key_type text, OUT agent_id uuid, OUT agent_seen_at timestamptz)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  used_at timestamptz;
BEGIN
  SELECT k.tenant_id, k.id, k.key_type, a.id, a.last_seen_at, k.last_used_at
  INTO resolve_caller.tenant_id, resolve_caller.api_key_id, resolve_caller.key_type, resolve_caller.agent_id, resolve_caller.agent_seen_at, used_at
  FROM api_keys k LEFT JOIN agents a ON a.api_key_id = k.id
  WHERE k.hash = key_hash AND k.revoked_at IS NULL;
  IF FOUND AND (used_at IS NULL OR used_at < now() - interval '50 seconds') THEN
    UPDATE api_keys SET last_used_at = now()
    WHERE id = (SELECT k.id FROM api_keys k WHERE k.id = resolve_caller.api_key_id FOR NO KEY UPDATE SKIP LOCKED);
  END IF;
END
$$;
--> statement-breakpoint
-- Stores events: resolves the key, checks its agent, claims the idempotency key, opens missing services, touches what is
-- stale, and stores what was not stored before. Answers the caller, the idempotency key's fate and what it stored, as
-- [id, life key, service id], and the services that joins name by now, as [name key, id]. Nothing is stored for a caller that may not.
--
-- Bitmap scans are off, for what looks up the last of many repeats must not gather them all first; so is JIT, for what a
-- function of JSON returns is estimated far too large.
--
-- Rows go in sorted, so that concurrent batches do not deadlock; ids are hashes, so that a row that exists already is the
-- same row; touches pass over rows that someone else is touching.
CREATE FUNCTION ingest_events_v1(key_hash text, idempotency_key text, body_hash text, service_names jsonb, events jsonb, joins jsonb) RETURNS json
LANGUAGE plpgsql SET enable_bitmapscan = off SET jit = off AS $$
#variable_conflict use_column
DECLARE
  caller record;
  claim text := 'none';
  created jsonb;
  joined_services jsonb;
  service_ids uuid[];
BEGIN
  caller := resolve_caller(key_hash);

  IF caller.agent_id IS NOT NULL AND caller.key_type = 'ingest' AND idempotency_key IS NOT NULL THEN
    INSERT INTO idempotency_keys (api_key_id, key, body_hash)
    VALUES (caller.api_key_id, ingest_events_v1.idempotency_key, ingest_events_v1.body_hash) ON CONFLICT DO NOTHING;
    claim := 'fresh';
    IF NOT FOUND THEN
      SELECT CASE WHEN k.body_hash = ingest_events_v1.body_hash THEN 'replayed' ELSE 'conflict' END INTO claim
      FROM idempotency_keys k WHERE k.api_key_id = caller.api_key_id AND k.key = ingest_events_v1.idempotency_key;
      claim := coalesce(claim, 'fresh');
    END IF;
  END IF;

  IF caller.agent_id IS NOT NULL AND caller.key_type = 'ingest' AND claim IN ('none', 'fresh') AND jsonb_array_length(events) > 0 THEN
    -- Nearly always the services are there and were touched just now, and a look is all it takes.
    service_ids := ARRAY(SELECT service_id_of(caller.tenant_id, n.name) FROM jsonb_to_recordset(service_names) AS n(name text));
    IF (SELECT count(*) FROM services s WHERE s.id = ANY(service_ids) AND s.last_event_at >= now() - interval '10 seconds') < cardinality(service_ids) THEN
      INSERT INTO services (id, tenant_id, agent_id, name, name_key)
      SELECT n.id, caller.tenant_id, caller.agent_id, n.name, n.name_key
      FROM (SELECT service_id_of(caller.tenant_id, s.name) AS id, s.name, s.name_key FROM jsonb_to_recordset(service_names) AS s(name text, name_key text)) n
      WHERE NOT EXISTS (SELECT 1 FROM services e WHERE e.id = n.id)
      ORDER BY n.id
      ON CONFLICT (id) DO NOTHING;

      UPDATE services SET last_event_at = now(), agent_id = caller.agent_id
      WHERE id = ANY(ARRAY(
        SELECT s.id FROM services s WHERE s.id = ANY(service_ids) AND s.last_event_at < now() - interval '10 seconds'
        ORDER BY s.id FOR NO KEY UPDATE SKIP LOCKED
      ));
    END IF;

    IF caller.agent_seen_at < now() - interval '10 seconds' THEN
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
-- A service's window as Postgres knows it, now or `as_of` an instant: who reads it, the service if it is its tenant's, the
-- database's clock, and the live changes of the service and those that join it, the latest of each event type, each folded
-- over the occurrences of its present life. At most `sample_size` occurrences of each are looked at, the last to expire,
-- and each change says whether that was all; `with_text` also what each says. A change is an array: life key; id,
-- confidence, rule, time and time for ordering of the latest occurrence; first time, last receipt, expiry, first expiry,
-- count, whether all were counted, text.
--
-- The reader is the key with this hash or, for the cron, a tenant itself.
CREATE FUNCTION read_window_v1(key_hash text, own_tenant uuid, service uuid, as_of timestamptz, with_text boolean, sample_size int, per_type int)
RETURNS json LANGUAGE plpgsql SET enable_bitmapscan = off SET jit = off AS $$
#variable_conflict use_column
DECLARE
  caller record;
  found_service record;
  instant timestamptz := coalesce(as_of, now());
  known_until timestamptz := coalesce(as_of, 'infinity');
  changes json;
BEGIN
  IF own_tenant IS NULL THEN
    caller := resolve_caller(key_hash);
  ELSE
    SELECT own_tenant AS tenant_id, NULL::uuid AS api_key_id, 'readonly' AS key_type, NULL::uuid AS agent_id INTO caller;
  END IF;
  SELECT s.id, s.tenant_id, s.name, s.name_key INTO found_service FROM services s WHERE s.id = service AND s.tenant_id = caller.tenant_id;

  IF FOUND THEN
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
        WHERE e.service_id = s.service_id AND e.change_key = s.change_key AND e.expires_at > instant AND e.received_at <= known_until
        ORDER BY e.expires_at DESC LIMIT 1
      ) life
    ),
    folded AS (
      SELECT l.*, total.* FROM lives l CROSS JOIN LATERAL (
        SELECT count(*) AS occurrences, min(e."timestamp") AS first_timestamp, min(e.expires_at) AS first_expires_at,
          max(e.received_at) FILTER (WHERE e.expires_at > instant) AS last_received_at,
          (array_agg(e.id ORDER BY least(e."timestamp", e.received_at) DESC, e.id) FILTER (WHERE e.expires_at > instant))[1] AS latest_id
        FROM (
          SELECT o.id, o."timestamp", o.received_at, o.expires_at FROM context_events o
          WHERE o.service_id = l.service_id AND o.change_key = l.change_key
            AND o.received_at >= l.appeared_at AND o.received_at <= known_until
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
      CASE WHEN with_text THEN json_build_array(event_type, vendor, entity, left(old_value, 1024), left(new_value, 1024), actor, sha) END))
    INTO changes FROM ranked WHERE place <= per_type;
  END IF;

  RETURN json_build_object('tenant_id', caller.tenant_id, 'api_key_id', caller.api_key_id, 'key_type', caller.key_type,
    'agent_id', caller.agent_id, 'service_id', found_service.id, 'service_name', found_service.name, 'now_ms', epoch_ms(instant),
    'changes', changes);
END
$$;
