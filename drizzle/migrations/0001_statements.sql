-- The two statements of the hot paths, as functions: one round trip each, like the statements they replace, but planned
-- once a connection instead of once a request, which cost several times what running them did.
--
-- A function is never changed once it is released, for the previous Worker may still be calling it: a later migration
-- adds the next version under a new name, and one after that drops this one.

CREATE FUNCTION service_id_of(tenant uuid, service_name text) RETURNS uuid LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
  -- A UUID of version 8 (RFC 9562) made of a hash: clients that open a service at once agree on its id.
  SELECT encode(set_byte(set_byte(substring(h FROM 1 FOR 16), 6, get_byte(h, 6) & 15 | 128), 8, get_byte(h, 8) & 63 | 128), 'hex')::uuid
  FROM sha256(convert_to(tenant::text || '/' || service_name, 'UTF8')) AS h
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
-- [id, change key, service id, ids of joined services]. Nothing is stored for a caller that may not.
--
-- Rows go in sorted, so that concurrent batches do not deadlock; ids are hashes, so that a row that exists already is the
-- same row; touches pass over rows that someone else is touching.
CREATE FUNCTION ingest_events_v1(key_hash text, idempotency_key text, body_hash text, service_names jsonb, events jsonb) RETURNS jsonb
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  caller record;
  claimed_hash text;
  claim text := 'none';
  created jsonb;
BEGIN
  SELECT * INTO caller FROM resolve_caller(key_hash);
  IF caller.agent_id IS NULL OR caller.key_type <> 'ingest' THEN
    RETURN to_jsonb(caller) || jsonb_build_object('idempotency', claim, 'now_ms', floor(extract(epoch FROM now()) * 1000));
  END IF;

  IF idempotency_key IS NOT NULL THEN
    INSERT INTO idempotency_keys (api_key_id, key, body_hash)
    VALUES (caller.api_key_id, ingest_events_v1.idempotency_key, ingest_events_v1.body_hash) ON CONFLICT DO NOTHING;
    claim := 'fresh';
    IF NOT FOUND THEN
      SELECT k.body_hash INTO claimed_hash FROM idempotency_keys k
      WHERE k.api_key_id = caller.api_key_id AND k.key = ingest_events_v1.idempotency_key;
      claim := CASE WHEN claimed_hash = ingest_events_v1.body_hash THEN 'replayed' ELSE 'conflict' END;
    END IF;
  END IF;

  IF claim IN ('none', 'fresh') AND jsonb_array_length(events) > 0 THEN
    INSERT INTO services (id, tenant_id, agent_id, name, name_key)
    SELECT n.id, caller.tenant_id, caller.agent_id, n.name, n.name_key
    FROM (SELECT service_id_of(caller.tenant_id, s.name) AS id, s.name, s.name_key FROM jsonb_to_recordset(service_names) AS s(name text, name_key text)) n
    WHERE NOT EXISTS (SELECT 1 FROM services e WHERE e.id = n.id)
    ORDER BY n.id
    ON CONFLICT (id) DO NOTHING;

    UPDATE services SET last_event_at = now(), agent_id = caller.agent_id
    WHERE id = ANY(ARRAY(
      SELECT s.id FROM services s
      WHERE s.id = ANY(ARRAY(SELECT service_id_of(caller.tenant_id, n.name) FROM jsonb_to_recordset(service_names) AS n(name text)))
        AND s.last_event_at < now() - interval '10 seconds'
      ORDER BY s.id FOR NO KEY UPDATE SKIP LOCKED
    ));

    IF caller.agent_seen_at < now() - interval '10 seconds' THEN
      UPDATE agents SET last_seen_at = now()
      WHERE id = (SELECT a.id FROM agents a WHERE a.id = caller.agent_id FOR NO KEY UPDATE SKIP LOCKED);
    END IF;

    WITH sent AS (
      SELECT DISTINCT ON (e.id) * FROM jsonb_to_recordset(events) AS e(
        id uuid, service_name text, vendor text, event_type text, entity text, old_value text, new_value text, actor text,
        sha text, confidence float8, ttl_seconds int, "timestamp" timestamptz, raw_line text, value_class text)
      ORDER BY e.id
    ),
    stored AS (
      INSERT INTO context_events (id, tenant_id, agent_id, service_id, service_name, vendor, event_type, entity, old_value,
        new_value, actor, sha, confidence, ttl_seconds, "timestamp", received_at, expires_at, raw_line, value_class)
      SELECT e.id, caller.tenant_id, caller.agent_id, service_id_of(caller.tenant_id, e.service_name), e.service_name, e.vendor,
        e.event_type, e.entity, e.old_value, e.new_value, e.actor, e.sha, e.confidence, e.ttl_seconds,
        coalesce(e."timestamp", now()), now(), now() + make_interval(secs => e.ttl_seconds), e.raw_line, e.value_class
      FROM sent e ORDER BY e.id
      ON CONFLICT (id) DO NOTHING
      RETURNING id, change_key, service_id
    )
    SELECT jsonb_agg(jsonb_build_array(id, change_key, service_id)) INTO created FROM stored;

    IF created IS NOT NULL AND events @? '$[*].joins[*]' THEN
      INSERT INTO event_joins (event_id, tenant_id, name_key, rule)
      SELECT DISTINCT ON (e.id, j.name_key) e.id, caller.tenant_id, j.name_key, j.rule
      FROM jsonb_array_elements(created) AS c,
        jsonb_to_recordset(events) AS e(id uuid, joins jsonb),
        jsonb_to_recordset(e.joins) AS j(name_key text, rule text)
      WHERE e.id = (c->>0)::uuid ORDER BY e.id, j.name_key;

      SELECT jsonb_agg(c || coalesce(jsonb_build_array((
        SELECT jsonb_agg(s.id) FROM event_joins j JOIN services s ON s.tenant_id = j.tenant_id AND s.name_key = j.name_key
        WHERE j.event_id = (c->>0)::uuid AND s.id <> (c->>2)::uuid
      )), '[null]')) INTO created FROM jsonb_array_elements(created) AS c;
    END IF;
  END IF;

  RETURN to_jsonb(caller) || jsonb_build_object(
    'idempotency', claim, 'now_ms', floor(extract(epoch FROM now()) * 1000), 'created', created);
END
$$;
--> statement-breakpoint
-- A service's window as Postgres knows it, as of an instant: its changes, each folded over the occurrences of its present
-- life, the latest of each event type; with what each says where `with_text`. A change that was received again after all
-- its earlier occurrences had expired began a new life.
CREATE FUNCTION window_changes_v1(tenant uuid, service uuid, service_name_key text, instant timestamptz, with_text boolean, per_type int) RETURNS jsonb
LANGUAGE sql STABLE AS $$
  WITH joined AS (
    SELECT e.id, e.change_key, e.event_type, e.confidence, e."timestamp", e.received_at, e.expires_at, 'service_name' AS rule
    FROM context_events e WHERE e.service_id = service AND e.received_at <= instant
    UNION ALL
    SELECT e.id, e.change_key, e.event_type, e.confidence, e."timestamp", e.received_at, e.expires_at, j.rule
    FROM event_joins j JOIN context_events e ON e.id = j.event_id
    WHERE j.tenant_id = tenant AND j.name_key = service_name_key AND e.service_id <> service AND e.received_at <= instant
  ),
  spans AS (
    SELECT *, received_at >= max(expires_at) OVER (PARTITION BY change_key ORDER BY received_at, id
      ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS is_born_again
    FROM joined
  ),
  lives AS (SELECT *, max(received_at) FILTER (WHERE is_born_again) OVER (PARTITION BY change_key) AS born_at FROM spans),
  folded AS (
    SELECT DISTINCT ON (change_key) *, least("timestamp", received_at) AS ordered_at, count(*) OVER change AS occurrences,
      max(expires_at) OVER change AS last_expires_at, min(expires_at) OVER change AS first_expires_at,
      min("timestamp") OVER change AS first_timestamp, max(received_at) OVER change AS last_received_at,
      first_value(rule) OVER (PARTITION BY change_key ORDER BY rule <> 'service_name', rule) AS joined_by
    FROM lives WHERE born_at IS NULL OR received_at >= born_at
    WINDOW change AS (PARTITION BY change_key)
    ORDER BY change_key, least("timestamp", received_at) DESC, id
  ),
  ranked AS (
    SELECT *, row_number() OVER (PARTITION BY event_type ORDER BY ordered_at DESC, change_key) AS place
    FROM folded WHERE last_expires_at > instant
  )
  SELECT jsonb_agg(jsonb_build_object(
    'change_key', change_key, 'id', id, 'confidence', confidence, 'joined_by', joined_by,
    'timestamp_ms', floor(extract(epoch FROM "timestamp") * 1000), 'first_ms', floor(extract(epoch FROM first_timestamp) * 1000),
    'ordered_ms', floor(extract(epoch FROM ordered_at) * 1000), 'received_ms', floor(extract(epoch FROM last_received_at) * 1000),
    'expires_ms', floor(extract(epoch FROM last_expires_at) * 1000), 'earliest_ms', floor(extract(epoch FROM first_expires_at) * 1000),
    'count', occurrences, 'follows_gap', born_at IS NOT NULL
  ) || CASE WHEN with_text THEN (
    SELECT jsonb_build_object('text', jsonb_build_array(e.event_type, e.vendor, e.entity, left(e.old_value, 1024), left(e.new_value, 1024), e.actor, e.sha))
    FROM context_events e WHERE e.id = ranked.id
  ) ELSE '{}' END)
  FROM ranked WHERE place <= per_type
$$;
--> statement-breakpoint
-- What a reader of a window needs: who it is, the service if it is its tenant's, the database's clock and the changes.
-- The reader is the key with this hash or, for the cron, a tenant itself.
CREATE FUNCTION read_window_v1(key_hash text, own_tenant uuid, service uuid, instant timestamptz, with_text boolean, per_type int) RETURNS jsonb
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  caller record;
  found_service record;
  at_instant timestamptz := coalesce(instant, now());
BEGIN
  IF own_tenant IS NULL THEN
    SELECT * INTO caller FROM resolve_caller(key_hash);
  ELSE
    SELECT own_tenant AS tenant_id, NULL::uuid AS api_key_id, 'readonly' AS key_type, NULL::uuid AS agent_id INTO caller;
  END IF;
  SELECT s.id AS service_id, s.name AS service_name, s.name_key INTO found_service
  FROM services s WHERE s.id = service AND s.tenant_id = caller.tenant_id;
  RETURN to_jsonb(caller) || jsonb_build_object(
    'service_id', found_service.service_id, 'service_name', found_service.service_name,
    'now_ms', floor(extract(epoch FROM at_instant) * 1000),
    'changes', CASE WHEN found_service.service_id IS NOT NULL THEN
      window_changes_v1(caller.tenant_id, found_service.service_id, found_service.name_key, at_instant, with_text, per_type) END);
END
$$;
