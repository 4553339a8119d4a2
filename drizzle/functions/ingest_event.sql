-- Stores one event as ingest_events does, and answers the same, for a fraction: for a key, an agent and a service that are
-- there and were touched just now. Anything else it leaves to that function.
-- Called by: requests of one event. A function because it is the hottest statement: no call within the call, the service found
-- by its name instead of by a hash, and the answer written as text, for what builds JSON looks up how at every call.
CREATE FUNCTION ingest_event_v9(key_hash text, event sent_event_v2, join_keys text[], join_rules text[], max_services int) RETURNS json
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
    RETURN ingest_events_v8(key_hash, NULL, NULL, jsonb_build_array(jsonb_build_object('name', event.service_name,
        'name_key', event.name_key, 'is_opened', false, 'is_changed', is_change)),
      jsonb_build_array(to_jsonb(event) || '{"place": 0}'),
      (SELECT coalesce(jsonb_agg(jsonb_build_object('id', event.id, 'name_key', j.name_key, 'rule', j.rule, 'is_changed', is_change)), '[]')
        FROM unnest(join_keys, join_rules) AS j(name_key, rule)), '[]', max_services);
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
          CROSS JOIN LATERAL (SELECT c.id FROM services c WHERE c.tenant_id = tenant AND c.name_key = j.name_key OFFSET 0) s
        UNION ALL
        SELECT '[' || to_json(f.flag_key) || ',"' || f.service_id || '"]' FROM flag_evaluators f
        WHERE event.event_type = 'flag_change' AND f.tenant_id = tenant AND f.flag_key = ANY(join_keys) AND f.expires_at - now() > interval '0'), ','),
      cardinality(ARRAY(
        SELECT 1 FROM change_joins j WHERE j.service_id = service AND j.change_key = change AND j.name_key = ANY(join_keys) AND j.expires_at >= ending
          AND j.appeared_at >= appeared))
    INTO joined, known_joins;
    IF known_joins < cardinality(join_keys) THEN
      INSERT INTO change_joins AS c (tenant_id, name_key, service_id, change_key, rule, event_type, appeared_at, expires_at)
      SELECT tenant, j.name_key, service, change, j.rule, event.event_type, appeared, ending + interval '1 hour' FROM unnest(join_keys, join_rules) AS j(name_key, rule)
      ORDER BY j.name_key
      ON CONFLICT (service_id, change_key, name_key) DO UPDATE SET event_type = excluded.event_type,
        appeared_at = greatest(c.appeared_at, excluded.appeared_at), expires_at = greatest(c.expires_at, excluded.expires_at);
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
