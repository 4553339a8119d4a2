-- Takes in what one delivery says of alerts, with the work that follows from it: all or nothing, in one request. A delivery that
-- was taken before changes nothing. What comes in for one tenant comes in one after the other, so that of a storm one incident
-- leads and the others find it.
--
-- An alert's key names its incident until that is resolved, and another one after it: but what began before the resolution, or
-- is told once more, is that same one. A resolution that comes before its alert is kept for it; one that is older than what it
-- would resolve changes nothing, nor does a reopening that is older than the resolution.
--
-- A key is its sender's: two integrations, or keys, that tell the same one tell of two incidents. Where keys are unique, as
-- PagerDuty's are, they tell of one. What a sender that is gone left behind is whoever's who goes on with it: tells what began no
-- later, or resolves it.
--
-- What is not signed changes nothing that a signed integration opened, nor anything that one will open: it does not resolve it, not
-- even in advance, nor open it again, nor lead its storm. What is signed takes over what another integration opened unsigned.
-- Nor does what began in a maintenance window, of which nobody is told, lead what begins outside of that window.
--
-- `delivery`: source, integration_id, sender_id (whose delivery_id it is, if there is one), is_unordered (what is acknowledged may
-- be news), is_signed (and found genuine), is_unique (what its keys are). `alerts`: kind (trigger, acknowledge, resolve or reopen),
-- key, incident_id and lease for a new one, service_name, name_key, title, url, environment, triggered_at, is_told (by the sender),
-- occurred_at, wait_seconds.
-- Where a tenant has `max_services`, an alert opens its incident all the same, but no service.
-- Answers, for each: outcome and incident_id.
-- Called by: deliveries. A function because each step depends on the one before, under one lock.
CREATE FUNCTION receive_alerts_v5(tenant uuid, delivery jsonb, alerts jsonb, fold_seconds int, lease_seconds int,
  max_services int) RETURNS json
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  source text := delivery->>'source';
  sender uuid := (delivery->>'sender_id')::uuid;
  own uuid := (delivery->>'integration_id')::uuid;
  is_signed boolean := coalesce((delivery->>'is_signed')::boolean, false);
  is_unique boolean := coalesce((delivery->>'is_unique')::boolean, false);
  signed_ids uuid[];
  alert record;
  latest record;
  found_service record;
  outcome text;
  leader_id uuid;
  ref text;
  addition text;
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
    SELECT i.id, i.triggered_at, i.resolved_at, coalesce(i.reopened_at, i.triggered_at) AS began_at, i.integration_id,
      NOT is_unique AND coalesce(i.sender_id, i.integration_id, sender) <> sender AS is_left,
      NOT is_signed AND i.integration_id IS DISTINCT FROM own AND coalesce(i.integration_id = ANY (signed_ids), false) AS is_foreign
    INTO latest FROM incidents i
    WHERE i.tenant_id = tenant AND i.external_source = source AND coalesce(i.dedupe_key, i.external_ref) = alert.key
      -- A Worker of before stored no sender, and of a key that people made nothing else.
      AND (is_unique OR coalesce(i.sender_id, i.integration_id, sender) = sender
        OR NOT EXISTS (SELECT 1 FROM integrations o WHERE o.id = coalesce(i.sender_id, i.integration_id) AND o.tenant_id = tenant)
          AND NOT EXISTS (SELECT 1 FROM api_keys k WHERE k.id = i.sender_id AND k.tenant_id = tenant AND k.revoked_at IS NULL))
    ORDER BY is_left, i.resolved_at IS NULL DESC, i.triggered_at DESC, i.id LIMIT 1;

    outcome := CASE
      WHEN latest.is_foreign AND (latest.resolved_at IS NULL OR alert.kind <> 'trigger' OR alert.triggered_at <= latest.resolved_at) THEN 'foreign'
      WHEN alert.kind = 'resolve' THEN CASE
        WHEN latest.id IS NULL OR latest.is_left AND latest.resolved_at IS NOT NULL THEN 'early'
        WHEN latest.resolved_at IS NULL AND alert.occurred_at >= latest.began_at THEN 'resolved'
        ELSE 'known' END
      WHEN latest.id IS NULL THEN CASE WHEN alert.kind = 'acknowledge' AND NOT (delivery->>'is_unordered')::boolean THEN 'dropped' ELSE 'opened' END
      WHEN latest.is_left AND NOT (alert.is_told AND alert.triggered_at <= latest.triggered_at) THEN
        CASE WHEN alert.kind = 'acknowledge' AND NOT (delivery->>'is_unordered')::boolean THEN 'dropped' ELSE 'opened' END
      WHEN latest.resolved_at IS NULL OR alert.kind = 'acknowledge' THEN 'known'
      WHEN alert.kind = 'reopen' THEN CASE WHEN alert.occurred_at >= latest.resolved_at THEN 'reopened' ELSE 'known' END
      WHEN alert.is_told AND alert.triggered_at <= latest.resolved_at THEN 'known'
      ELSE 'opened' END;

    IF outcome = 'early' THEN
      INSERT INTO deliveries AS d (integration_id, delivery_id, tenant_id, kind, external_source, external_ref, occurred_at)
      VALUES (sender, 'resolve ' || md5(source || ' ' || alert.key), tenant, 'resolve', source, alert.key, alert.occurred_at)
      ON CONFLICT (integration_id, delivery_id) DO UPDATE SET occurred_at = greatest(d.occurred_at, excluded.occurred_at), received_at = now();
      outcome := 'dropped';
    ELSIF outcome = 'known' AND latest.resolved_at IS NULL
      AND (latest.is_left OR is_signed AND NOT coalesce(latest.integration_id = ANY (signed_ids), false)) THEN
      UPDATE incidents SET integration_id = own, sender_id = CASE WHEN NOT is_unique THEN sender END WHERE id = latest.id;
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
        AND (d.integration_id = sender OR is_unique AND (NOT is_signed OR d.integration_id = ANY (signed_ids)));

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
        AND NOT EXISTS (
          SELECT 1 FROM maintenance_windows m JOIN services s ON s.id = found_service.id AND s.tenant_id = m.tenant_id
          WHERE m.tenant_id = tenant AND (m.service_key = s.name_key OR m.team_key = s.team_key)
            AND m.starts_at <= i.triggered_at AND i.triggered_at < m.ends_at
            AND NOT (m.starts_at <= alert.triggered_at AND alert.triggered_at < m.ends_at))
      ORDER BY i.triggered_at, i.id LIMIT 1;

      ref := alert.key;
      FOREACH addition IN ARRAY ARRAY['@' || epoch_ms(alert.triggered_at), '-' || left(alert.incident_id::text, 8)] LOOP
        EXIT WHEN NOT EXISTS (SELECT 1 FROM incidents i WHERE i.tenant_id = tenant AND i.external_source = source AND i.external_ref = ref);
        ref := ref || addition;
      END LOOP;
      INSERT INTO incidents (id, tenant_id, service_id, service_name, title, url, environment, triggered_at, external_source, external_ref,
        dedupe_key, integration_id, sender_id, diagnosis_of)
      VALUES (alert.incident_id, tenant, found_service.id, found_service.name, alert.title, alert.url, alert.environment, alert.triggered_at,
        source, ref, alert.key, own, CASE WHEN NOT is_unique THEN sender END, leader_id);

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
      -- As its end comes at any other time, so that it is told.
      UPDATE incidents SET resolved_at = resolved WHERE id = alert.incident_id AND resolved IS NOT NULL;
      latest.id := alert.incident_id;
    END IF;
    answers := answers || jsonb_build_object('outcome', outcome, 'incident_id', latest.id);
  END LOOP;
  RETURN answers::json;
END
$$;
