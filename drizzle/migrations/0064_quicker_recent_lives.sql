SET LOCAL statement_timeout = 0;
--> statement-breakpoint
-- What services were told of last, as a diagnosis may see it: of each service and event type the changes that began by the time `around`
-- and were told next to it, those that went on beyond it, and the first that began after it, of each so many `deploys` or flags, or so
-- many `others`: its own and those that join it, folded over the occurrences of each life up to `until`, `sample_size` at most of a change;
-- the arrays of find_lives with text.
-- Looked for are those that began last, and what was repeated in the service's last 50 reports, for what has gone on for long began
-- before anything that is kept of it: it comes behind what began in the half hour before.
--
-- Called by: diagnoses, for the many services that nothing connects with an alert. Unlike find_lives it looks up what it tells, not all
-- there is. A function because it needs settings of its own, as that does.
CREATE FUNCTION find_recent_lives_v4(own_tenant uuid, service_ids uuid[], until timestamptz, around timestamptz, sample_size int, deploys int, others int)
RETURNS TABLE (service_id uuid, changes json)
LANGUAGE plpgsql STABLE SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off SET jit = off AS $$
#variable_conflict use_column
DECLARE
  instant timestamptz := now();
  alert timestamptz := least(around, until);
  lately interval := '30 minutes';
  behind float8 := date_part('epoch', lately);
  types text[] := ARRAY['deploy', 'restart', 'saturation', 'flag_change', 'circuit_open', 'dependency_failure', 'config_change', 'schema_change', 'scale_event'];
BEGIN
  RETURN QUERY
  WITH kinds AS MATERIALIZED (
    SELECT t.event_type, t.place, CASE WHEN t.event_type IN ('deploy', 'flag_change') THEN deploys ELSE others END AS each
    FROM unnest(types) WITH ORDINALITY AS t(event_type, place)
  ),
  asked AS MATERIALIZED (
    SELECT s.id, s.name_key FROM unnest(service_ids) AS k(id) JOIN services s ON s.id = k.id AND s.tenant_id = own_tenant
  ),
  names AS MATERIALIZED (
    SELECT a.id, a.name_key, false AS is_flag FROM asked a
    UNION
    SELECT a.id, f.flag_key, true FROM asked a JOIN flag_evaluators f ON f.tenant_id = own_tenant AND f.service_id = a.id AND f.expires_at - instant > interval '0'
  ),
  -- Equal events of a change's first second are its beginning alike: where the latest are of too few changes, many more are read.
  began AS (
    SELECT a.id, a.id AS source, b.change_key, 'service_name' AS rule, k.event_type, b.at, false AS is_repeated
      FROM asked a CROSS JOIN kinds k CROSS JOIN LATERAL (
      (SELECT e.change_key, max(e.at) AS at FROM (
        SELECT count(DISTINCT e.change_key) < k.each AS are_few FROM (
          SELECT e.change_key FROM context_events e
          WHERE e.service_id = a.id AND e.event_type = k.event_type AND e.received_at - e.appeared_at < interval '1 second'
            AND least(e."timestamp", e.received_at) <= alert
          ORDER BY least(e."timestamp", e.received_at) DESC, e.id DESC LIMIT 4 * k.each
        ) e
      ) latest CROSS JOIN LATERAL (
        SELECT e.change_key, least(e."timestamp", e.received_at) AS at FROM context_events e
        WHERE e.service_id = a.id AND e.event_type = k.event_type AND e.received_at - e.appeared_at < interval '1 second'
          AND least(e."timestamp", e.received_at) <= alert
        ORDER BY least(e."timestamp", e.received_at) DESC, e.id DESC LIMIT CASE WHEN latest.are_few THEN 1001 ELSE 4 * k.each END
      ) e GROUP BY e.change_key ORDER BY max(e.at) DESC LIMIT k.each)
      UNION ALL
      (SELECT e.change_key, min(e.at) FROM (
        SELECT e.change_key, least(e."timestamp", e.received_at) AS at FROM context_events e
        WHERE e.service_id = a.id AND e.event_type = k.event_type AND e.received_at - e.appeared_at < interval '1 second'
          AND least(e."timestamp", e.received_at) > alert AND least(e."timestamp", e.received_at) <= until
        ORDER BY least(e."timestamp", e.received_at), e.id LIMIT 100
      ) e GROUP BY e.change_key ORDER BY min(e.at) LIMIT k.each)
    ) b
    UNION ALL
    -- What has begun again since `until` may have begun before it, too: its note says the last time alone.
    SELECT n.id, j.service_id, j.change_key, j.rule, k.event_type, j.appeared_at, false
      FROM names n JOIN kinds k ON NOT n.is_flag OR k.event_type = 'flag_change' CROSS JOIN LATERAL (
        (SELECT o.* FROM change_joins o
          WHERE o.tenant_id = own_tenant AND o.name_key = n.name_key AND o.service_id <> n.id AND o.event_type = k.event_type AND o.appeared_at <= alert
          ORDER BY o.appeared_at DESC LIMIT k.each)
        UNION ALL
        (SELECT o.* FROM change_joins o
          WHERE o.tenant_id = own_tenant AND o.name_key = n.name_key AND o.service_id <> n.id AND o.event_type = k.event_type AND o.appeared_at > alert AND o.appeared_at <= until
          ORDER BY o.appeared_at LIMIT k.each)
        UNION ALL
        (SELECT o.* FROM change_joins o
          WHERE o.tenant_id = own_tenant AND o.name_key = n.name_key AND o.service_id <> n.id AND o.event_type = k.event_type AND o.appeared_at > until
          ORDER BY o.appeared_at LIMIT k.each)
      ) j
    UNION ALL
    -- What a Worker of before noted without its beginning and its type: some time before it is to be forgotten.
    SELECT n.id, j.service_id, j.change_key, j.rule, NULL, j.expires_at - interval '25 hours', false FROM names n CROSS JOIN LATERAL (
      SELECT o.* FROM change_joins o WHERE o.tenant_id = own_tenant AND o.name_key = n.name_key AND o.service_id <> n.id AND o.event_type IS NULL ORDER BY o.expires_at DESC LIMIT others
    ) j
    UNION ALL
    SELECT a.id, a.id, r.change_key, 'service_name', r.event_type, r.at, true FROM asked a CROSS JOIN LATERAL (
      SELECT k.*, row_number() OVER (PARTITION BY k.event_type ORDER BY greatest(alert - k.at, k.at - alert)) AS number FROM (
        SELECT min(e.event_type) AS event_type, e.change_key, max(e.at) AS at FROM (
          SELECT e.event_type, e.change_key, e.received_at - e.appeared_at >= interval '1 second' AS is_repeat, least(e."timestamp", e.received_at) AS at
          FROM context_events e
          WHERE uuid_hash_extended(e.service_id, 0) = uuid_hash_extended(a.id, 0) AND e.service_id = a.id
          ORDER BY e.written_by DESC LIMIT CASE WHEN until = 'infinity' THEN 50 ELSE 2000 END
        ) e
        WHERE e.is_repeat AND e.at <= until GROUP BY e.change_key
      ) k
    ) r JOIN kinds k ON k.event_type = r.event_type
    WHERE r.number <= k.each
  ),
  near AS (
    SELECT b.id, b.source, b.change_key, b.rule, b.each, dense_rank() OVER (PARTITION BY b.id, b.place, b.side ORDER BY min(b.distance), b.change_key) AS rank
    FROM (
      SELECT g.*, k.place, coalesce(k.each, others) AS each, CASE WHEN at <= alert THEN 0 WHEN is_repeated THEN 1 WHEN at <= until THEN 2 ELSE 3 END AS side,
        abs(date_part('epoch', at - alert)) + CASE WHEN is_repeated OR at < alert - lately THEN behind ELSE 0 END AS distance
      FROM began g LEFT JOIN kinds k ON k.event_type = g.event_type
    ) b
    GROUP BY b.id, b.source, b.change_key, b.rule, b.each, b.place, b.side
  ),
  -- A flag's change that names the service, too, joins once, by its name.
  chosen AS (
    SELECT DISTINCT ON (n.id, n.source, n.change_key) n.* FROM near n WHERE n.rank <= n.each
    ORDER BY n.id, n.source, n.change_key, n.rule = 'evaluates'
  ),
  -- A life's occurrences say when it appeared; of those that are not over, a change has one, its last to expire.
  folded AS (
    SELECT c.id AS own_id, c.change_key, c.rule, life.*, least(life.first_timestamp, life.appeared_at) AS began_at,
      row_number() OVER lives AS place, sum(life.occurrences) OVER lives AS looked_at
    FROM chosen c CROSS JOIN LATERAL (
      SELECT o.appeared_at, max(o.expires_at) AS expires_at, max(o.expires_at) <= instant AS is_over, min(o.event_type) AS event_type, count(*) AS occurrences,
        min(o.happened_at) AS first_timestamp, min(o.expires_at) AS first_expires_at, max(o.received_at) AS last_received_at,
        max(o.happened_at) AS ordered_at, (array_agg(o.place ORDER BY o.happened_at DESC, o.id))[1] AS latest
      FROM (
        SELECT e.ctid AS place, e.id, e.event_type, e.appeared_at, e.expires_at, e.received_at, least(e."timestamp", e.received_at) AS happened_at
        FROM context_events e
        WHERE e.service_id = c.source AND e.change_key = c.change_key AND (e.expires_at > instant OR e.kept_until > instant)
          AND least(e."timestamp", e.received_at) <= until
        ORDER BY e.expires_at DESC LIMIT sample_size
      ) o
      GROUP BY o.appeared_at
    ) life
    WINDOW lives AS (PARTITION BY c.id, c.source, c.change_key ORDER BY life.expires_at DESC)
  ),
  told AS (
    SELECT f.*, k.each, row_number() OVER (PARTITION BY f.own_id, f.event_type, f.side ORDER BY f.distance, f.change_key) AS rank
    FROM (
      SELECT *, CASE WHEN began_at > alert THEN 2 WHEN ordered_at > alert THEN 1 ELSE 0 END AS side,
        CASE WHEN began_at < alert - lately THEN behind + abs(date_part('epoch', ordered_at - alert)) ELSE abs(date_part('epoch', began_at - alert)) END AS distance
      FROM folded WHERE is_over OR place = 1
    ) f JOIN kinds k ON k.event_type = f.event_type
  )
  SELECT t.own_id, json_agg(json_build_array(life_key_of(t.change_key, t.appeared_at), e.id, e.confidence, t.rule, epoch_ms(e."timestamp"),
    epoch_ms(t.ordered_at), epoch_ms(t.first_timestamp), epoch_ms(t.last_received_at), epoch_ms(t.expires_at), epoch_ms(t.first_expires_at),
    t.occurrences, t.looked_at < sample_size, e.url, e.details, t.is_over,
    json_build_array(e.event_type, e.vendor, e.entity, left(e.old_value, 1024), left(e.new_value, 1024), e.actor, e.sha, e.environment)))
  FROM told t JOIN context_events e ON e.ctid = t.latest
  WHERE t.rank <= t.each
  GROUP BY t.own_id;
END
$$;
