SET LOCAL statement_timeout = 0;
--> statement-breakpoint
-- Stores events: resolves the key, checks its agent, claims the idempotency key, opens missing services, touches what is
-- stale, and stores what was not stored before. Answers the caller, the idempotency key's fate and what it stored, as
-- [id, life key, service id], what it refused, and the services that joins name by now, as [name key, id]. Nothing is stored for a caller that may not.
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
CREATE FUNCTION ingest_events_v5(key_hash text, idempotency_key text, body_hash text, service_names jsonb, events jsonb, joins jsonb,
  max_services int, queued_for uuid DEFAULT NULL, received timestamptz DEFAULT NULL) RETURNS json
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
    VALUES (caller.api_key_id, ingest_events_v5.idempotency_key, ingest_events_v5.body_hash) ON CONFLICT DO NOTHING;
    claim := 'fresh';
    IF NOT FOUND THEN
      SELECT CASE WHEN k.body_hash = ingest_events_v5.body_hash THEN 'replayed' ELSE 'conflict' END INTO claim
      FROM idempotency_keys k WHERE k.api_key_id = caller.api_key_id AND k.key = ingest_events_v5.idempotency_key;
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
      missing_ids := ARRAY(SELECT m.id FROM unnest(service_ids) AS m(id) WHERE NOT EXISTS (SELECT 1 FROM services e WHERE e.id = m.id));
      IF cardinality(missing_ids) > 0 THEN
        INSERT INTO services (id, tenant_id, agent_id, name, name_key, last_change_at, last_change_agent_id)
        SELECT n.id, caller.tenant_id, caller.agent_id, n.name, n.name_key, CASE WHEN n.is_changed THEN now() END,
          CASE WHEN n.is_changed THEN caller.agent_id END
        FROM (
          SELECT service_id_of(caller.tenant_id, s.name) AS id, s.name, s.name_key, s.is_changed
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
    SELECT jsonb_agg(jsonb_build_array(id, life_key_of(change_key, appeared_at), service_id)) INTO created FROM stored;

    known_ids := ARRAY(
      SELECT w.id FROM jsonb_array_elements(created) AS c JOIN swept_events w ON w.tenant_id = caller.tenant_id AND w.id = (c->>0)::uuid);
    IF cardinality(known_ids) > 0 THEN
      DELETE FROM context_events e WHERE e.id = ANY(known_ids);
      SELECT jsonb_agg(c) INTO created FROM jsonb_array_elements(created) AS c WHERE (c->>0)::uuid <> ALL(known_ids);
    END IF;

    IF cardinality(refused_ids) > 0 THEN
      SELECT jsonb_agg(e.id) INTO refused FROM jsonb_to_recordset(events) AS e(id uuid, service_name text)
      WHERE service_id_of(caller.tenant_id, e.service_name) = ANY(refused_ids);
      -- Sent again, these may find room; the others are known by their ids.
      DELETE FROM idempotency_keys k WHERE claim = 'fresh' AND k.api_key_id = caller.api_key_id AND k.key = ingest_events_v5.idempotency_key;
    END IF;

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
    'agent_id', caller.agent_id, 'idempotency', claim, 'now_ms', epoch_ms(instant), 'created', created, 'refused', refused,
    'joined_services', joined_services);
END
$$;
--> statement-breakpoint
-- Stores one event as ingest_events does, and answers the same, for a fraction: for a key, an agent and a service that are
-- there and were touched just now. Anything else it leaves to that function.
-- Called by: requests of one event. A function because it is the hottest statement: no call within the call, the service found
-- by its name instead of by a hash, and the answer written as text, for what builds JSON looks up how at every call.
CREATE FUNCTION ingest_event_v6(key_hash text, event sent_event_v2, join_keys text[], join_rules text[], max_services int) RETURNS json
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
    RETURN ingest_events_v5(key_hash, NULL, NULL, jsonb_build_array(jsonb_build_object('name', event.service_name,
        'name_key', event.name_key, 'is_opened', false, 'is_changed', is_change)),
      jsonb_build_array(to_jsonb(event) || '{"place": 0}'),
      (SELECT coalesce(jsonb_agg(jsonb_build_object('id', event.id, 'name_key', j.name_key, 'rule', j.rule, 'is_changed', is_change)), '[]')
        FROM unnest(join_keys, join_rules) AS j(name_key, rule)), max_services);
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

  -- One that was swept within the day is known.
  IF appeared IS NOT NULL AND EXISTS (SELECT 1 FROM swept_events w WHERE w.tenant_id = tenant AND w.id = event.id) THEN
    DELETE FROM context_events e WHERE e.id = event.id;
    appeared := NULL;
  END IF;

  IF appeared IS NOT NULL AND join_keys <> '{}' THEN
    SELECT array_to_string(ARRAY(
        SELECT '[' || to_json(j.name_key) || ',"' || s.id || '"]' FROM unnest(join_keys) AS j(name_key)
          CROSS JOIN LATERAL (SELECT c.id FROM services c WHERE c.tenant_id = tenant AND c.name_key = j.name_key OFFSET 0) s), ','),
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
      PERFORM touch_changed_services_v2(tenant, agent, join_keys);
    END IF;
  END IF;

  RETURN format('{"tenant_id":"%s","api_key_id":"%s","key_type":"ingest","agent_id":"%s","idempotency":"none","now_ms":%s,"joined_services":[%s],"created":[%s]}',
    tenant, api_key, agent, epoch_ms(now()), joined,
    CASE WHEN appeared IS NOT NULL THEN format('["%s","%s","%s"]', event.id, life_key_of(change, appeared), service) END);
END
$$;
--> statement-breakpoint
-- Takes in what one delivery says of alerts, with the work that follows from it: all or nothing, in one request. A delivery that
-- was taken before changes nothing. What comes in for one tenant comes in one after the other, so that of a storm one incident
-- leads and the others find it.
--
-- An alert's key names its incident until that is resolved, and another one after it: but what began before the resolution, or
-- is told once more, is that same one. A resolution that comes before its alert is kept for it; one that is older than what it
-- would resolve changes nothing, nor does a reopening that is older than the resolution.
--
-- What is not signed changes nothing that a signed integration opened, nor anything that one will open: it does not resolve it, not
-- even in advance, nor open it again, nor lead its storm. What is signed takes over what another integration opened unsigned.
--
-- `delivery`: source, integration_id, sender_id (whose delivery_id it is, if there is one), is_unordered (what is acknowledged may
-- be news), is_signed (and found genuine). `alerts`: kind (trigger, acknowledge, resolve or reopen), key, incident_id and lease for
-- a new one, service_name, name_key, title, url, environment, triggered_at, is_told (by the sender), occurred_at, wait_seconds.
-- Where a tenant has `max_services`, an alert opens its incident all the same, but no service.
-- Answers, for each: outcome and incident_id.
-- Called by: deliveries. A function because each step depends on the one before, under one lock.
CREATE FUNCTION receive_alerts_v3(tenant uuid, delivery jsonb, alerts jsonb, fold_seconds int, lease_seconds int,
  max_services int) RETURNS json
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  source text := delivery->>'source';
  sender uuid := (delivery->>'sender_id')::uuid;
  own uuid := (delivery->>'integration_id')::uuid;
  is_signed boolean := coalesce((delivery->>'is_signed')::boolean, false);
  signed_ids uuid[];
  alert record;
  latest record;
  found_service record;
  outcome text;
  leader_id uuid;
  ref text;
  resolved timestamptz;
  due timestamptz;
  answers jsonb := '[]';
BEGIN
  PERFORM pg_advisory_xact_lock(hashtextextended('incidents of ' || tenant::text, 0));
  IF delivery->>'delivery_id' IS NOT NULL THEN
    INSERT INTO deliveries (integration_id, delivery_id, tenant_id, kind, external_source, external_ref, occurred_at)
    VALUES (sender, delivery->>'delivery_id', tenant, 'taken', source, '', now()) ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN
      RETURN (SELECT json_agg(json_build_object('outcome', 'replayed', 'incident_id', NULL)) FROM jsonb_array_elements(alerts));
    END IF;
  END IF;

  SELECT coalesce(array_agg(o.id), '{}') INTO signed_ids FROM integrations o WHERE o.tenant_id = tenant AND o.secrets->>'webhook_secret' IS NOT NULL;

  FOR alert IN
    SELECT a.* FROM jsonb_to_recordset(alerts) AS a(kind text, key text, incident_id uuid, lease uuid, service_name text, name_key text, title text,
      url text, environment text, triggered_at timestamptz, is_told boolean, occurred_at timestamptz, wait_seconds int)
  LOOP
    SELECT i.id, i.resolved_at, coalesce(i.reopened_at, i.triggered_at) AS began_at, i.integration_id,
      NOT is_signed AND i.integration_id IS DISTINCT FROM own AND coalesce(i.integration_id = ANY (signed_ids), false) AS is_foreign
    INTO latest FROM incidents i
    WHERE i.tenant_id = tenant AND i.external_source = source AND coalesce(i.dedupe_key, i.external_ref) = alert.key
    ORDER BY i.resolved_at IS NULL DESC, i.triggered_at DESC, i.id LIMIT 1;

    outcome := CASE
      WHEN latest.is_foreign AND (latest.resolved_at IS NULL OR alert.kind <> 'trigger' OR alert.triggered_at <= latest.resolved_at) THEN 'foreign'
      WHEN alert.kind = 'resolve' THEN CASE
        WHEN latest.id IS NULL THEN 'early'
        WHEN latest.resolved_at IS NULL AND alert.occurred_at >= latest.began_at THEN 'resolved'
        ELSE 'known' END
      WHEN latest.id IS NULL THEN CASE WHEN alert.kind = 'acknowledge' AND NOT (delivery->>'is_unordered')::boolean THEN 'dropped' ELSE 'opened' END
      WHEN latest.resolved_at IS NULL OR alert.kind = 'acknowledge' THEN 'known'
      WHEN alert.kind = 'reopen' THEN CASE WHEN alert.occurred_at >= latest.resolved_at THEN 'reopened' ELSE 'known' END
      WHEN alert.is_told AND alert.triggered_at <= latest.resolved_at THEN 'known'
      ELSE 'opened' END;

    IF outcome = 'early' THEN
      INSERT INTO deliveries AS d (integration_id, delivery_id, tenant_id, kind, external_source, external_ref, occurred_at)
      VALUES (sender, 'resolve ' || md5(source || ' ' || alert.key), tenant, 'resolve', source, alert.key, alert.occurred_at)
      ON CONFLICT (integration_id, delivery_id) DO UPDATE SET occurred_at = greatest(d.occurred_at, excluded.occurred_at), received_at = now();
      outcome := 'dropped';
    ELSIF outcome = 'known' AND is_signed AND latest.resolved_at IS NULL AND NOT coalesce(latest.integration_id = ANY (signed_ids), false) THEN
      UPDATE incidents SET integration_id = own WHERE id = latest.id;
    ELSIF outcome = 'resolved' THEN
      UPDATE incidents SET resolved_at = alert.occurred_at WHERE id = latest.id;
      -- What ended before it had lasted long enough is told to nobody.
      UPDATE incident_work SET state = 'given_up', reason = 'it was over before it had lasted long enough'
      WHERE incident_id = latest.id AND kind = 'diagnosis' AND state = 'due' AND attempts = 0 AND looks = 0;
    ELSIF outcome = 'reopened' THEN
      UPDATE incidents SET resolved_at = NULL, reopened_at = alert.occurred_at WHERE id = latest.id;
    ELSIF outcome = 'opened' THEN
      SELECT max(d.occurred_at) INTO resolved FROM deliveries d
      WHERE d.tenant_id = tenant AND d.external_source = source AND d.external_ref = alert.key AND d.kind = 'resolve' AND d.occurred_at >= alert.triggered_at
        AND (NOT is_signed OR d.integration_id = sender OR d.integration_id = ANY (signed_ids));

      SELECT s.id, s.name INTO found_service FROM services s WHERE s.tenant_id = tenant AND s.name_key = alert.name_key
      ORDER BY s.name = alert.service_name DESC, s.last_event_at DESC, s.id LIMIT 1;
      IF NOT FOUND THEN
        INSERT INTO services (id, tenant_id, name, name_key, last_event_at)
        SELECT service_id_of(tenant, alert.service_name), tenant, alert.service_name, alert.name_key,
          -- Long enough ago for the first event to touch it.
          now() - touch_interval_v1() - interval '1 second'
        WHERE (SELECT count(*) FROM (SELECT 1 FROM services s WHERE s.tenant_id = tenant LIMIT max_services) c) < max_services
        ON CONFLICT (id) DO NOTHING;
        SELECT service_id_of(tenant, alert.service_name) AS id, alert.service_name AS name INTO found_service;
      END IF;

      SELECT i.id INTO leader_id FROM incidents i
      WHERE i.tenant_id = tenant AND i.service_id = found_service.id AND i.external_ref IS NOT NULL AND i.diagnosis_of IS NULL
        AND i.resolved_at IS NULL AND i.environment IS NOT DISTINCT FROM alert.environment
        AND (NOT is_signed OR i.integration_id = ANY (signed_ids))
        AND i.triggered_at BETWEEN alert.triggered_at - make_interval(secs => fold_seconds) AND alert.triggered_at + make_interval(secs => fold_seconds)
      ORDER BY i.triggered_at, i.id LIMIT 1;

      ref := alert.key;
      IF latest.id IS NOT NULL THEN
        ref := ref || '@' || epoch_ms(alert.triggered_at);
        IF EXISTS (SELECT 1 FROM incidents i WHERE i.tenant_id = tenant AND i.external_source = source AND i.external_ref = ref) THEN
          ref := ref || '-' || left(alert.incident_id::text, 8);
        END IF;
      END IF;
      INSERT INTO incidents (id, tenant_id, service_id, service_name, title, url, environment, triggered_at, resolved_at, external_source, external_ref,
        dedupe_key, integration_id, diagnosis_of)
      VALUES (alert.incident_id, tenant, found_service.id, found_service.name, alert.title, alert.url, alert.environment, alert.triggered_at, resolved,
        source, ref, alert.key, (delivery->>'integration_id')::uuid, leader_id);

      IF leader_id IS NOT NULL THEN
        outcome := 'folded';
      ELSE
        due := alert.triggered_at + make_interval(secs => alert.wait_seconds);
        IF alert.wait_seconds > 0 AND due > now() THEN
          outcome := 'held';
          INSERT INTO incident_work (incident_id, kind, number, tenant_id, state, next_at, attempts, reason)
          VALUES (alert.incident_id, 'diagnosis', 0, tenant, CASE WHEN resolved IS NULL THEN 'due' ELSE 'given_up' END, due, 0,
            CASE WHEN resolved IS NOT NULL THEN 'it was over before it had lasted long enough' END);
        ELSE
          INSERT INTO incident_work (incident_id, kind, number, tenant_id, state, next_at, attempts, lease)
          VALUES (alert.incident_id, 'diagnosis', 0, tenant, 'due', now() + make_interval(secs => lease_seconds), 1, alert.lease);
        END IF;
      END IF;
      latest.id := alert.incident_id;
    END IF;
    answers := answers || jsonb_build_object('outcome', outcome, 'incident_id', latest.id);
  END LOOP;
  RETURN answers::json;
END
$$;
