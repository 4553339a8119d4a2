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
