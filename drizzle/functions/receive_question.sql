-- Takes in what an engineer asks about, with the work that follows from it: all or nothing, in one request.
--
-- `question`: incident_id, service_name, name_key, title, triggered_at, observed_until, environment (null: production). `lease`
-- and `lease_seconds` say who begins the work at once and how long others leave it to them.
-- Called by: questions. A function because each step depends on the one before.
CREATE FUNCTION receive_question_v1(tenant uuid, question jsonb, lease uuid, lease_seconds int) RETURNS void
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  found_service record;
  new_id uuid := (question->>'incident_id')::uuid;
BEGIN
  SELECT s.id, s.name INTO found_service FROM services s WHERE s.tenant_id = tenant AND s.name_key = question->>'name_key'
  ORDER BY s.name = question->>'service_name' DESC, s.last_event_at DESC, s.id LIMIT 1;
  IF NOT FOUND THEN
    INSERT INTO services (id, tenant_id, name, name_key, last_event_at)
    VALUES (service_id_of(tenant, question->>'service_name'), tenant, question->>'service_name', question->>'name_key',
      -- Long enough ago for the first event to touch it.
      now() - touch_interval_v1() - interval '1 second')
    ON CONFLICT (id) DO NOTHING;
    SELECT service_id_of(tenant, question->>'service_name') AS id, question->>'service_name' AS name INTO found_service;
  END IF;

  INSERT INTO incidents (id, tenant_id, service_id, service_name, title, triggered_at, observed_until, environment)
  VALUES (new_id, tenant, found_service.id, found_service.name, question->>'title', (question->>'triggered_at')::timestamptz,
    (question->>'observed_until')::timestamptz, question->>'environment');
  INSERT INTO incident_work (incident_id, kind, number, tenant_id, state, next_at, attempts, lease)
  VALUES (new_id, 'diagnosis', 0, tenant, 'due', now() + make_interval(secs => lease_seconds), 1, lease);
END
$$;
