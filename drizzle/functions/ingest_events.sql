-- Stores events: resolves the key, checks its agent, claims the idempotency key, opens missing services, touches what is
-- stale, and stores what was not stored before; and who evaluated which flags. Answers the caller, the idempotency key's fate and
-- what it stored, as [id, life key, service id], what it refused, and the services that joins name by now, as [name key, id]: of
-- a flag those that evaluate it. Nothing is stored for a caller that may not.
-- Called by: batches of events, the queue's consumer, and ingest_event. A function because it is hot: planned once a connection, not once a request.
--
-- A plan that was made while the tables were small has to serve until they are analyzed again: nothing but look-ups, then.
-- Bitmap scans are off, for what looks up the last of many repeats must not gather them all first; so is JIT, for what a
-- function of JSON returns is estimated far too large.
--
-- Rows go in sorted, so that concurrent batches do not deadlock; ids are hashes, so that a row that exists already is the
-- same row; touches pass over rows that someone else is touching.
--
-- A tenant has at most `max_services`: an event that would open one more is not stored but `refused`, by its id. One that was
-- swept within the day is known, as one that is stored is; it is looked for after it was stored anew, for a sweep may be under way.
--
-- `queued_for`: the agent of a key that was good when these were `received`, whatever became of it since; without them the
-- key is looked up, and they are received now.
CREATE FUNCTION ingest_events_v8(key_hash text, idempotency_key text, body_hash text, service_names jsonb, events jsonb, joins jsonb, evaluations jsonb,
  max_services int, queued_for uuid DEFAULT NULL, received timestamptz DEFAULT NULL) RETURNS json
LANGUAGE plpgsql SET enable_bitmapscan = off SET jit = off SET plan_cache_mode = force_generic_plan SET enable_seqscan = off
SET enable_hashjoin = off SET enable_mergejoin = off AS $$
#variable_conflict use_column
DECLARE
  caller record;
  claim text := 'none';
  ids jsonb;
  created text;
  created_ids uuid[];
  joined_services jsonb;
  service_ids uuid[];
  changed_ids uuid[];
  missing_ids uuid[];
  refused_ids uuid[] := '{}';
  refused jsonb;
  known_ids uuid[];
  instant timestamptz := coalesce(received, now());
BEGIN
  IF queued_for IS NULL THEN
    caller := resolve_caller_v1(key_hash);
  ELSE
    SELECT a.tenant_id, a.api_key_id, 'ingest' AS key_type, a.id AS agent_id, a.last_seen_at AS agent_seen_at INTO caller
    FROM agents a WHERE a.id = queued_for;
  END IF;

  IF caller.agent_id IS NOT NULL AND caller.key_type = 'ingest' AND idempotency_key IS NOT NULL THEN
    INSERT INTO idempotency_keys (api_key_id, key, body_hash)
    VALUES (caller.api_key_id, ingest_events_v8.idempotency_key, ingest_events_v8.body_hash) ON CONFLICT DO NOTHING;
    claim := 'fresh';
    IF NOT FOUND THEN
      SELECT CASE WHEN k.body_hash = ingest_events_v8.body_hash THEN 'replayed' ELSE 'conflict' END INTO claim
      FROM idempotency_keys k WHERE k.api_key_id = caller.api_key_id AND k.key = ingest_events_v8.idempotency_key;
      claim := coalesce(claim, 'fresh');
    END IF;
  END IF;

  IF caller.agent_id IS NOT NULL AND caller.key_type = 'ingest' AND claim IN ('none', 'fresh') AND jsonb_array_length(evaluations) > 0 THEN
    PERFORM note_evaluators_v1(caller.tenant_id, evaluations);
  END IF;

  IF caller.agent_id IS NOT NULL AND caller.key_type = 'ingest' AND claim IN ('none', 'fresh') AND jsonb_array_length(events) > 0 THEN
    -- Nearly always the services are there and were touched just now, and a look is all it takes. One that an event opens
    -- though it names another is there as well where its name is spelt in another way.
    ids := (SELECT jsonb_object_agg(n.name, service_id_of(caller.tenant_id, n.name)) FROM jsonb_to_recordset(service_names) AS n(name text));
    service_ids := ARRAY(
      SELECT coalesce(
        CASE WHEN n.is_opened THEN (
          SELECT s.id FROM services s WHERE s.tenant_id = caller.tenant_id AND s.name_key = n.name_key
          ORDER BY s.name = n.name DESC, s.last_event_at DESC, s.id LIMIT 1) END,
        (ids->>n.name)::uuid)
      FROM jsonb_to_recordset(service_names) AS n(name text, name_key text, is_opened boolean));
    changed_ids := ARRAY(
      SELECT (ids->>n.name)::uuid FROM jsonb_to_recordset(service_names) AS n(name text, is_changed boolean) WHERE n.is_changed);
    IF (SELECT count(*) FROM services s WHERE s.id = ANY(service_ids) AND s.last_event_at >= now() - touch_interval_v1()
        AND NOT (s.id = ANY(changed_ids) AND coalesce(s.last_change_at, '-infinity') < now() - touch_interval_v1())) < cardinality(service_ids) THEN
      missing_ids := ARRAY(SELECT m.id FROM unnest(service_ids) AS m(id) WHERE NOT EXISTS (SELECT 1 FROM services e WHERE e.id = m.id));
      IF cardinality(missing_ids) > 0 THEN
        INSERT INTO services (id, tenant_id, agent_id, name, name_key, last_change_at, last_change_agent_id)
        SELECT n.id, caller.tenant_id, caller.agent_id, n.name, n.name_key, CASE WHEN n.is_changed THEN now() END,
          CASE WHEN n.is_changed THEN caller.agent_id END
        FROM (
          SELECT (ids->>s.name)::uuid AS id, s.name, s.name_key, s.is_changed
          FROM jsonb_to_recordset(service_names) AS s(name text, name_key text, is_changed boolean)
        ) n
        WHERE n.id = ANY(missing_ids)
        ORDER BY n.id
        LIMIT max_services - (SELECT count(*) FROM (SELECT 1 FROM services s WHERE s.tenant_id = caller.tenant_id LIMIT max_services) c)
        ON CONFLICT (id) DO NOTHING;
        refused_ids := ARRAY(SELECT m.id FROM unnest(missing_ids) AS m(id) WHERE NOT EXISTS (SELECT 1 FROM services e WHERE e.id = m.id));
      END IF;

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
      SELECT DISTINCT ON (e.id) e.*, (ids->>e.service_name)::uuid AS service_id,
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
        e.new_value, e.actor, e.sha, e.environment, e.url, e.details, e.confidence, e.ttl_seconds, coalesce(e."timestamp", instant), instant,
        instant + make_interval(secs => e.ttl_seconds),
        -- Null while the last occurrence is of the same minute.
        CASE WHEN date_trunc('minute', last.received_at) = date_trunc('minute', instant) THEN NULL
          ELSE instant + make_interval(secs => greatest(e.kept_seconds, CASE WHEN e.kept_seconds IS NOT NULL THEN e.ttl_seconds END)) END,
        e.raw_line, e.value_class, e.change_key,
        -- Whole seconds, so that clients whose first occurrences cross agree; no TTL is shorter, so that lives stay apart.
        coalesce(last.appeared_at, date_trunc('second', instant))
      FROM sent e LEFT JOIN LATERAL (
        SELECT o.appeared_at, o.received_at FROM context_events o
        WHERE o.service_id = e.service_id AND o.change_key = e.change_key AND o.expires_at > instant
        ORDER BY o.expires_at DESC LIMIT 1
      ) last ON true
      WHERE e.service_id <> ALL(refused_ids)
      ORDER BY e.id
      ON CONFLICT (id) DO NOTHING
      RETURNING id, service_id, change_key, appeared_at
    )
    -- JSON of nothing that could need escaping, as text: building it takes Postgres longer than all look-ups of keys.
    SELECT '[' || string_agg('["' || id || '","' || life_key_of(change_key, appeared_at) || '","' || service_id || '"]', ',') || ']', array_agg(id)
    INTO created, created_ids FROM stored;

    known_ids := ARRAY(
      SELECT w.id FROM unnest(created_ids) AS c(id)
        CROSS JOIN LATERAL (SELECT s.id FROM swept_events s WHERE s.tenant_id = caller.tenant_id AND s.id = c.id OFFSET 0) w);
    IF cardinality(known_ids) > 0 THEN
      DELETE FROM context_events e WHERE e.id = ANY(known_ids);
      SELECT json_agg(c) INTO created FROM json_array_elements(created::json) AS c WHERE (c->>0)::uuid <> ALL(known_ids);
    END IF;

    IF cardinality(refused_ids) > 0 THEN
      SELECT jsonb_agg(e.id) INTO refused FROM jsonb_to_recordset(events) AS e(id uuid, service_name text)
      WHERE (ids->>e.service_name)::uuid = ANY(refused_ids);
      -- Sent again, these may find room; the others are known by their ids.
      DELETE FROM idempotency_keys k WHERE claim = 'fresh' AND k.api_key_id = caller.api_key_id AND k.key = ingest_events_v8.idempotency_key;
    END IF;

    IF created IS NOT NULL AND jsonb_array_length(joins) > 0 THEN
      INSERT INTO change_joins AS c (tenant_id, name_key, service_id, change_key, rule, event_type, appeared_at, expires_at)
      SELECT DISTINCT ON (o.service_id, o.change_key, j.name_key) caller.tenant_id, j.name_key, o.service_id, o.change_key, j.rule,
        o.event_type, o.appeared_at, coalesce(o.kept_until, o.expires_at) + interval '1 hour'
      FROM jsonb_to_recordset(joins) AS j(id uuid, name_key text, rule text) JOIN context_events o ON o.id = j.id
      WHERE NOT EXISTS (
        SELECT 1 FROM change_joins n WHERE n.service_id = o.service_id AND n.change_key = o.change_key
          AND n.name_key = j.name_key AND n.expires_at >= coalesce(o.kept_until, o.expires_at) AND n.appeared_at >= o.appeared_at)
      ORDER BY o.service_id, o.change_key, j.name_key, coalesce(o.kept_until, o.expires_at) DESC
      ON CONFLICT (service_id, change_key, name_key) DO UPDATE SET event_type = excluded.event_type,
        appeared_at = greatest(c.appeared_at, excluded.appeared_at), expires_at = greatest(c.expires_at, excluded.expires_at);

      PERFORM touch_changed_services_v2(caller.tenant_id, caller.agent_id, ARRAY(
        SELECT DISTINCT j.name_key FROM jsonb_to_recordset(joins) AS j(name_key text, is_changed boolean) WHERE j.is_changed));

      -- A look-up for each name, however many services a tenant has.
      SELECT jsonb_agg(jsonb_build_array(j.name_key, s.id)) INTO joined_services
      FROM (SELECT DISTINCT j.name_key FROM jsonb_to_recordset(joins) AS j(name_key text)) j
        CROSS JOIN LATERAL (SELECT s.id FROM services s WHERE s.tenant_id = caller.tenant_id AND s.name_key = j.name_key OFFSET 0) s;

      IF joins @> '[{"rule": "evaluates"}]' THEN
        SELECT coalesce(joined_services, '[]') || coalesce(jsonb_agg(jsonb_build_array(f.flag_key, f.service_id)), '[]') INTO joined_services
        FROM flag_evaluators f
        WHERE f.tenant_id = caller.tenant_id AND f.expires_at - now() > interval '0' AND f.flag_key = ANY(ARRAY(
          SELECT j.name_key FROM jsonb_to_recordset(joins) AS j(name_key text, rule text) WHERE j.rule = 'evaluates'));
      END IF;
    END IF;
  END IF;

  RETURN json_build_object('tenant_id', caller.tenant_id, 'api_key_id', caller.api_key_id, 'key_type', caller.key_type,
    'agent_id', caller.agent_id, 'idempotency', claim, 'now_ms', epoch_ms(instant), 'created', created::json, 'refused', refused,
    'joined_services', joined_services);
END
$$;
