-- Notes that an incident was resolved, or its answer judged, for the tenant's receivers to be told: whoever did it, and in the same
-- transaction. From 101 on, so that messages about it come after those about answers. Only where there is anybody to tell, which
-- the Worker finds out in full.
-- Called by: triggers of incidents and diagnoses. A function because a trigger is one.
CREATE FUNCTION plan_follow_up_v1() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  incident uuid;
  happened text;
BEGIN
  IF TG_TABLE_NAME = 'incidents' THEN
    incident := NEW.id;
    happened := 'resolved';
  ELSE
    incident := NEW.incident_id;
    happened := NEW.verdict;
  END IF;
  INSERT INTO incident_work (incident_id, kind, number, tenant_id, state, next_at, attempts)
  SELECT incident, happened, 101 + (
      SELECT count(*) FROM incident_work w
      WHERE w.incident_id = incident AND w.target = '00000000-0000-0000-0000-000000000000' AND w.number > 100),
    NEW.tenant_id, 'queued', now(), 0
  WHERE EXISTS (SELECT 1 FROM integrations i WHERE i.tenant_id = NEW.tenant_id AND i.direction = 'outbound')
  ON CONFLICT DO NOTHING;
  RETURN NULL;
END
$$;
