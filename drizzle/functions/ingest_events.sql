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
CREATE FUNCTION ingest_events_v4(key_hash text, idempotency_key text, body_hash text, service_names jsonb, events jsonb, joins jsonb) RETURNS json
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
    VALUES (caller.api_key_id, ingest_events_v4.idempotency_key, ingest_events_v4.body_hash) ON CONFLICT DO NOTHING;
    claim := 'fresh';
    IF NOT FOUND THEN
      SELECT CASE WHEN k.body_hash = ingest_events_v4.body_hash THEN 'replayed' ELSE 'conflict' END INTO claim
      FROM idempotency_keys k WHERE k.api_key_id = caller.api_key_id AND k.key = ingest_events_v4.idempotency_key;
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

      PERFORM touch_changed_services_v2(caller.tenant_id, caller.agent_id, ARRAY(
        SELECT DISTINCT j.name_key FROM jsonb_to_recordset(joins) AS j(name_key text, is_changed boolean) WHERE j.is_changed));

      -- A look-up for each name, however many services a tenant has.
      SELECT jsonb_agg(jsonb_build_array(j.name_key, s.id)) INTO joined_services
      FROM (SELECT DISTINCT j.name_key FROM jsonb_to_recordset(joins) AS j(name_key text)) j
        CROSS JOIN LATERAL (SELECT s.id FROM services s WHERE s.tenant_id = caller.tenant_id AND s.name_key = j.name_key OFFSET 0) s;
    END IF;
  END IF;

  RETURN json_build_object('tenant_id', caller.tenant_id, 'api_key_id', caller.api_key_id, 'key_type', caller.key_type,
    'agent_id', caller.agent_id, 'idempotency', claim, 'now_ms', epoch_ms(now()), 'created', created, 'joined_services', joined_services);
END
$$;
