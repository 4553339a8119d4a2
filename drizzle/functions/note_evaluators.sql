-- Notes who evaluated which flags, for a day and an hour, and again once less than the day is left: so that what is evaluated all
-- the time costs a look. Of a flag at most fifty services are noted, of a service two hundred flags, those that came first.
-- Called by: ingest_events. A function for what it calls to be planned once a connection, and look-ups only.
CREATE FUNCTION note_evaluators_v1(tenant uuid, evaluations jsonb) RETURNS void
LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off
SET enable_mergejoin = off SET jit = off AS $$
BEGIN
  INSERT INTO flag_evaluators AS f (tenant_id, flag_key, service_id, expires_at)
  SELECT tenant, r.flag_key, r.service_id, now() + interval '25 hours' FROM (
    SELECT n.*,
      row_number() OVER (PARTITION BY n.flag_key, n.is_new ORDER BY n.service_id)
        + (SELECT count(*) FROM flag_evaluators o WHERE o.tenant_id = tenant AND o.flag_key = n.flag_key) AS services,
      row_number() OVER (PARTITION BY n.service_id, n.is_new ORDER BY n.flag_key)
        + (SELECT count(*) FROM flag_evaluators o WHERE o.tenant_id = tenant AND o.service_id = n.service_id) AS flags
    FROM (
      SELECT e.flag_key, e.service_id, known.expires_at IS NULL AS is_new
      FROM (
        SELECT DISTINCT s.flag_key, service_id_of(tenant, s.service_name) AS service_id
        FROM jsonb_to_recordset(evaluations) AS s(flag_key text, service_name text)
      ) e LEFT JOIN LATERAL (
        SELECT k.expires_at FROM flag_evaluators k
        WHERE k.tenant_id = tenant AND k.service_id = e.service_id AND k.flag_key = e.flag_key
      ) known ON true
      WHERE known.expires_at IS NULL OR known.expires_at < now() + interval '24 hours'
    ) n
  ) r
  WHERE NOT r.is_new OR r.services <= 50 AND r.flags <= 200
  ORDER BY r.service_id, r.flag_key
  ON CONFLICT (tenant_id, service_id, flag_key) DO UPDATE SET expires_at = excluded.expires_at, written_by = pg_current_xact_id();
END
$$;
