-- Notes that a change of the services with these name keys was received from an agent, and passes over those that someone else is
-- noting the same of.
-- Called by: ingest_event and ingest_events, for services whose windows a change joins. A function to say it once.
CREATE FUNCTION touch_changed_services_v2(tenant uuid, agent uuid, name_keys text[]) RETURNS void
LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
BEGIN
  UPDATE services u SET last_change_at = now(), last_change_agent_id = agent
  WHERE u.id = ANY(ARRAY(
    SELECT s.id FROM services s
    -- A look-up for each name, however many services a tenant has.
    WHERE s.id = ANY(ARRAY(
        SELECT f.id FROM unnest(name_keys) AS n(name_key)
          CROSS JOIN LATERAL (SELECT c.id FROM services c WHERE c.tenant_id = tenant AND c.name_key = n.name_key OFFSET 0) f))
      AND coalesce(s.last_change_at, '-infinity') < now() - touch_interval_v1()
    ORDER BY s.id FOR NO KEY UPDATE SKIP LOCKED
  ));
END
$$;
