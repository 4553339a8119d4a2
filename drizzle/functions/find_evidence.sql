-- The live changes of a service as a diagnosis may see them: of what happened, by its own time, up to an instant. In the rows
-- of find_window, whose steps these are.
-- Called by: diagnoses, for each service that may matter. A function because its steps need settings of their own.
CREATE FUNCTION find_evidence_v1(own_tenant uuid, service uuid, until timestamptz, sample_size int, per_type int)
RETURNS json
LANGUAGE plpgsql STABLE SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off SET jit = off AS $$
#variable_conflict use_column
DECLARE
  found_service record;
  changes json;
BEGIN
  SELECT s.id, s.tenant_id, s.name, s.name_key INTO found_service FROM services s WHERE s.id = service AND s.tenant_id = own_tenant;

  IF FOUND THEN
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
        WHERE e.service_id = s.service_id AND e.change_key = s.change_key AND e.expires_at > now() AND e."timestamp" <= until
        ORDER BY e.expires_at DESC LIMIT 1
      ) life
    ),
    folded AS (
      SELECT l.*, total.* FROM lives l CROSS JOIN LATERAL (
        SELECT count(*) AS occurrences, min(e."timestamp") AS first_timestamp, min(e.expires_at) AS first_expires_at,
          max(e.received_at) FILTER (WHERE e.expires_at > now()) AS last_received_at,
          (array_agg(e.id ORDER BY least(e."timestamp", e.received_at) DESC, e.id) FILTER (WHERE e.expires_at > now()))[1] AS latest_id
        FROM (
          SELECT o.id, o."timestamp", o.received_at, o.expires_at FROM context_events o
          WHERE o.service_id = l.service_id AND o.change_key = l.change_key AND o.received_at >= l.appeared_at AND o."timestamp" <= until
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
      occurrences, occurrences < sample_size,
      json_build_array(event_type, vendor, entity, left(old_value, 1024), left(new_value, 1024), actor, sha)))
    INTO changes FROM ranked WHERE place <= per_type;
  END IF;

  RETURN json_build_object('service_id', found_service.id, 'service_name', found_service.name, 'changes', changes);
END
$$;
