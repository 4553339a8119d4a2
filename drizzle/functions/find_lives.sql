-- The live changes of a service's window at an `instant`: its own and those that join it, the latest of each event type, each
-- folded over the occurrences of its present life. Seen are occurrences received by `known_by` that happened by `until`, none
-- later than it was received, whatever its sender's clock said. `with_kept` also lives that are over and kept for diagnoses.
-- At most `sample_size` of each are looked at, the last to expire, and each change says whether that was all; `with_text` also
-- what each says. A change is an array: life key; id, confidence, rule, time and time for ordering of the latest occurrence;
-- first time, last receipt, expiry, first expiry, count, whether all were counted; address and details of the latest
-- occurrence; whether it has expired; text.
--
-- Where there are more than 3,000 changes, `is_part`: the first 300 are looked at, and the 450 that began last, of each type 50 at
-- least; and 450 are told, of each type 50 at least. `with_kept` the first 1,000 and of each type the 250 that began last, and 250 of
-- each are told. Of each type no more than `per_type` are told in any case, but `with_kept` 50 failing calls, which tell who calls whom.
--
-- A service of few events is read in one go: of at most 3,000, or of so many, and few that repeat, as takes no longer than looking up
-- the changes that are told, each of which takes as long as one event more than it has. What a change says is read of those alone.
--
-- `valid_until`: when the first occurrence that is live expires, or a flag's evaluation is too long ago for its changes to join.
-- Called by: find_window and find_evidence, for both to take the same steps. A function because those need settings of their
-- own: look-ups only, whatever a plan from when the tables were small would have; no bitmap scans, for what looks up the last
-- of many repeats must not gather them all first; no JIT, for what a function of JSON returns is estimated far too large.
CREATE FUNCTION find_lives_v12(tenant uuid, service uuid, service_name_key text, instant timestamptz, known_by timestamptz, until timestamptz,
  with_kept boolean, with_text boolean, sample_size int, per_type int, OUT changes json, OUT valid_until timestamptz, OUT is_part boolean)
LANGUAGE plpgsql STABLE SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off SET jit = off AS $$
#variable_conflict use_column
DECLARE
  -- Of a part: how many come first in the index, how many of one type, and how many in all.
  first_few int := CASE WHEN with_kept THEN 1000 ELSE 300 END;
  of_a_type int := least(greatest(per_type, 50), CASE WHEN with_kept THEN 250 ELSE 450 END);
  in_all int := CASE WHEN with_kept THEN 9 * of_a_type ELSE 450 END;
  -- Of what changes its first events are, by the order of keys, which are hashes: so often do they repeat, likely all of them.
  first_keys uuid[] := ARRAY(SELECT e.change_key FROM context_events e WHERE e.service_id = service ORDER BY e.change_key LIMIT 3001);
  is_small boolean := cardinality(first_keys) <= 3000;
  repeats float8 := CASE WHEN NOT is_small THEN 3001.0 / (SELECT count(DISTINCT k) FROM unnest(first_keys) AS k) END;
  -- Where they repeat more often than that, looking each up takes less time, though more pages, than taking all events apart.
  is_varied boolean := repeats <= 4;
  most int := greatest(3000 * repeats, (first_few + in_all) * (1 + repeats));
  further_keys uuid[] := CASE WHEN is_varied AND NOT is_small THEN ARRAY(
    SELECT e.change_key FROM context_events e WHERE e.service_id = service AND e.change_key >= first_keys[3001] ORDER BY e.change_key LIMIT most - 2999) END;
  in_one_go boolean := is_small OR is_varied AND cardinality(further_keys) <= most - 3000;
BEGIN
  WITH RECURSIVE own_events AS MATERIALIZED (
    SELECT e.ctid AS place, e.id, e.change_key, e.event_type, e.appeared_at, e.expires_at, e.kept_until, e.received_at,
      least(e."timestamp", e.received_at) AS happened_at, e.received_at <= known_by AND least(e."timestamp", e.received_at) <= until AS is_known,
      count(*) OVER (PARTITION BY e.change_key) = 1 AS is_once
    FROM context_events e WHERE in_one_go AND e.service_id = service
  ),
  head AS MATERIALIZED (
    SELECT DISTINCT k AS change_key FROM unnest(first_keys || further_keys) AS k WHERE NOT in_one_go ORDER BY k
  ),
  -- PostgreSQL has no loose index scan: this steps from each further change key of the service to the next, whatever lies between.
  own AS (
    SELECT (SELECT e.change_key FROM context_events e WHERE NOT in_one_go AND e.service_id = service
      AND e.change_key > coalesce(further_keys[cardinality(further_keys)], first_keys[3001]) ORDER BY e.change_key LIMIT 1) AS change_key
    UNION ALL
    SELECT (SELECT e.change_key FROM context_events e WHERE e.service_id = service AND e.change_key > own.change_key ORDER BY e.change_key LIMIT 1)
    FROM own WHERE own.change_key IS NOT NULL
  ),
  -- Those that the service evaluates, in words that no index on expiries answers: one would go through everybody's.
  flags AS (
    SELECT array_agg(f.flag_key) AS keys, min(f.expires_at) AS known_until FROM flag_evaluators f
    WHERE f.tenant_id = tenant AND f.service_id = service AND f.expires_at - instant > interval '0'
  ),
  names AS MATERIALIZED (
    SELECT service_name_key AS name_key UNION ALL SELECT unnest(keys) FROM flags
  ),
  joined AS MATERIALIZED (
    SELECT j.service_id, j.change_key, j.rule FROM names n JOIN change_joins j ON j.tenant_id = tenant AND j.name_key = n.name_key
    WHERE j.service_id <> service
  ),
  sources AS (
    SELECT * FROM joined
    UNION ALL
    SELECT service, change_key, 'service_name' FROM head
    UNION ALL
    SELECT service, change_key, 'service_name' FROM own WHERE change_key IS NOT NULL
    UNION ALL
    SELECT service, change_key, 'service_name' FROM (SELECT DISTINCT change_key FROM own_events WHERE NOT is_small ORDER BY change_key) o
  ),
  extent AS MATERIALIZED (
    SELECT count(*) > 3000 AS is_part FROM (SELECT 1 FROM sources LIMIT 3001) counted
  ),
  kinds AS (
    SELECT kind.event_type FROM extent CROSS JOIN unnest(ARRAY['deploy', 'restart', 'saturation', 'flag_change', 'circuit_open', 'dependency_failure',
      'config_change', 'schema_change', 'scale_event']) AS kind(event_type)
    WHERE extent.is_part
  ),
  began AS (
    SELECT kinds.event_type, service AS service_id, own.change_key, 'service_name' AS rule, own.began_at FROM kinds CROSS JOIN LATERAL (
      SELECT e.change_key, least(e."timestamp", e.received_at) AS began_at FROM context_events e
      WHERE NOT is_small AND e.service_id = service AND e.event_type = kinds.event_type AND e.received_at - e.appeared_at < interval '1 second'
        AND least(e."timestamp", e.received_at) <= least(known_by, until)
      ORDER BY least(e."timestamp", e.received_at) DESC, e.id DESC LIMIT of_a_type
    ) own
    UNION ALL
    SELECT kinds.event_type, other.* FROM kinds CROSS JOIN names n CROSS JOIN LATERAL (
      SELECT j.service_id, j.change_key, j.rule, j.appeared_at FROM change_joins j
      WHERE j.tenant_id = tenant AND j.name_key = n.name_key AND j.event_type = kinds.event_type AND j.appeared_at <= least(known_by, until)
        AND j.service_id <> service
      ORDER BY j.appeared_at DESC LIMIT of_a_type
    ) other
    UNION ALL
    -- What has begun again since, and what a Worker of before noted without its beginning: of that, what was reported last by then.
    SELECT e.event_type, j.service_id, j.change_key, j.rule, e.appeared_at FROM (
      (SELECT o.* FROM kinds CROSS JOIN names n CROSS JOIN LATERAL (
        SELECT j.service_id, j.change_key, j.rule FROM change_joins j
        WHERE j.tenant_id = tenant AND j.name_key = n.name_key AND j.event_type = kinds.event_type AND j.appeared_at > least(known_by, until)
      ) o LIMIT 5000)
      UNION ALL
      (SELECT o.service_id, o.change_key, o.rule FROM extent x CROSS JOIN names n CROSS JOIN LATERAL (
        SELECT j.* FROM change_joins j
        WHERE x.is_part AND j.tenant_id = tenant AND j.name_key = n.name_key AND j.event_type IS NULL
          AND j.expires_at <= least(known_by, until) + interval '25 hours'
        ORDER BY j.expires_at DESC LIMIT 5000
      ) o ORDER BY o.expires_at DESC LIMIT 5000)
    ) j CROSS JOIN LATERAL (
      SELECT e.event_type, e.appeared_at FROM context_events e
      WHERE e.service_id = j.service_id AND e.change_key = j.change_key AND e.received_at <= known_by AND least(e."timestamp", e.received_at) <= until
      ORDER BY e.expires_at DESC LIMIT 1
    ) e
    WHERE j.service_id <> service
  ),
  latest AS (
    SELECT b.service_id, b.change_key, b.rule FROM (
      SELECT began.*, row_number() OVER (PARTITION BY event_type ORDER BY began_at DESC, change_key) AS rank FROM began
    ) b
    WHERE b.rank <= of_a_type ORDER BY b.rank > 50, b.began_at DESC LIMIT in_all
  ),
  -- A flag's change that names the service, too, joins once, by its name.
  looked_at AS (
    SELECT DISTINCT ON (service_id, change_key) * FROM (
      (SELECT * FROM sources LIMIT (SELECT CASE WHEN e.is_part THEN first_few ELSE 3000 END FROM extent e))
      UNION ALL
      SELECT * FROM latest
    ) l
    ORDER BY service_id, change_key, rule = 'evaluates'
  ),
  looked_up AS (
    SELECT * FROM looked_at l WHERE NOT in_one_go OR l.service_id <> service
  ),
  lives AS (
    SELECT s.*, life.* FROM looked_up s CROSS JOIN LATERAL (
      SELECT e.appeared_at, e.expires_at, false AS is_over FROM context_events e
      WHERE e.service_id = s.service_id AND e.change_key = s.change_key AND e.expires_at > instant AND e.received_at <= known_by
        AND least(e."timestamp", e.received_at) <= until
      ORDER BY e.expires_at DESC LIMIT 1
    ) life
    UNION ALL
    SELECT s.*, life.* FROM looked_up s CROSS JOIN LATERAL (
      SELECT (
        SELECT e.appeared_at FROM context_events e
        WHERE e.service_id = s.service_id AND e.change_key = s.change_key AND e.expires_at > instant
        ORDER BY e.expires_at DESC LIMIT 1
      ) AS appeared_at
    ) present CROSS JOIN LATERAL (
      SELECT k.appeared_at, max(k.expires_at), true FROM (
        SELECT e.appeared_at, e.expires_at FROM context_events e
        WHERE e.service_id = s.service_id AND e.change_key = s.change_key AND e.expires_at <= instant AND e.kept_until > instant
          AND e.received_at <= known_by AND least(e."timestamp", e.received_at) <= until
          AND (present.appeared_at IS NULL OR e.appeared_at < present.appeared_at)
        ORDER BY e.expires_at DESC LIMIT sample_size
      ) k
      GROUP BY k.appeared_at
    ) life
    WHERE with_kept
  ),
  folded AS (
    SELECT l.*, total.* FROM lives l CROSS JOIN LATERAL (
      SELECT min(e.event_type) AS event_type, count(*) AS occurrences, min(e.happened_at) AS first_timestamp, min(e.expires_at) AS first_expires_at,
        min(e.expires_at) FILTER (WHERE e.expires_at > instant) AS next_expires_at,
        max(e.received_at) FILTER (WHERE e.expires_at > instant OR l.is_over) AS last_received_at,
        max(e.happened_at) FILTER (WHERE e.expires_at > instant OR l.is_over) AS ordered_at,
        (array_agg(e.place ORDER BY e.happened_at DESC, e.id) FILTER (WHERE e.expires_at > instant OR l.is_over))[1] AS latest
      FROM (
        SELECT o.ctid AS place, o.id, o.event_type, least(o."timestamp", o.received_at) AS happened_at, o.received_at, o.expires_at FROM context_events o
        WHERE o.service_id = l.service_id AND o.change_key = l.change_key AND o.expires_at > l.appeared_at AND o.expires_at <= l.expires_at
          AND o.received_at >= l.appeared_at AND o.received_at <= known_by AND least(o."timestamp", o.received_at) <= until
        ORDER BY o.expires_at DESC LIMIT sample_size
      ) e
    ) total
  ),
  own_looked_at AS MATERIALIZED (
    SELECT * FROM own_events WHERE is_small OR change_key IN (SELECT l.change_key FROM looked_at l WHERE l.service_id = service)
  ),
  own_known AS (
    SELECT *, first_value(appeared_at) OVER latest AS began, first_value(expires_at) OVER latest AS ends FROM own_looked_at WHERE is_known AND NOT is_once
    WINDOW latest AS (PARTITION BY change_key ORDER BY expires_at DESC)
  ),
  own_present AS (
    SELECT DISTINCT ON (change_key) change_key, appeared_at FROM own_looked_at WHERE with_kept AND expires_at > instant AND NOT is_once
    ORDER BY change_key, expires_at DESC
  ),
  own_over AS (
    SELECT k.change_key, k.appeared_at AS began, max(k.expires_at) AS ends FROM (
      SELECT e.change_key, e.appeared_at, e.expires_at, row_number() OVER (PARTITION BY e.change_key ORDER BY e.expires_at DESC) AS number
      FROM own_looked_at e LEFT JOIN own_present p ON p.change_key = e.change_key
      WHERE with_kept AND e.is_known AND e.expires_at <= instant AND e.kept_until > instant AND NOT e.is_once
        AND (p.appeared_at IS NULL OR e.appeared_at < p.appeared_at)
    ) k
    WHERE sample_size IS NULL OR k.number <= sample_size GROUP BY k.change_key, k.appeared_at
  ),
  own_folded AS (
    -- What occurred once, as most changes of a service of many did, is folded as it is: all take a third less time.
    SELECT service, e.change_key, 'service_name', e.appeared_at, e.expires_at, e.expires_at <= instant, e.event_type, 1::bigint, e.happened_at,
      e.expires_at, CASE WHEN e.expires_at > instant THEN e.expires_at END, e.received_at, e.happened_at, e.place
    FROM own_looked_at e
    WHERE e.is_once AND e.is_known AND (e.expires_at > instant OR with_kept AND e.kept_until > instant)
      AND e.expires_at > e.appeared_at AND e.received_at >= e.appeared_at
    UNION ALL
    SELECT service, e.change_key, 'service_name', min(e.began), min(e.ends), false, min(e.event_type), count(*), min(e.happened_at), min(e.expires_at),
      min(e.expires_at) FILTER (WHERE e.expires_at > instant), max(e.received_at) FILTER (WHERE e.expires_at > instant),
      max(e.happened_at) FILTER (WHERE e.expires_at > instant),
      (array_agg(e.place ORDER BY e.happened_at DESC, e.id) FILTER (WHERE e.expires_at > instant))[1]
    FROM (
      SELECT *, row_number() OVER (PARTITION BY change_key ORDER BY expires_at DESC) AS number FROM own_known
      WHERE ends > instant AND expires_at > began AND received_at >= began
    ) e
    WHERE sample_size IS NULL OR e.number <= sample_size GROUP BY e.change_key
    UNION ALL
    SELECT service, e.change_key, 'service_name', e.began, e.ends, true, min(e.event_type), count(*), min(e.happened_at), min(e.expires_at),
      min(e.expires_at) FILTER (WHERE e.expires_at > instant), max(e.received_at), max(e.happened_at),
      (array_agg(e.place ORDER BY e.happened_at DESC, e.id))[1]
    FROM (
      SELECT o.*, l.began, l.ends, row_number() OVER (PARTITION BY l.change_key, l.began ORDER BY o.expires_at DESC) AS number
      FROM own_over l JOIN own_looked_at o ON o.change_key = l.change_key AND o.is_known AND o.expires_at > l.began AND o.expires_at <= l.ends
        AND o.received_at >= l.began
    ) e
    WHERE sample_size IS NULL OR e.number <= sample_size GROUP BY e.change_key, e.began, e.ends
  ),
  ranked AS (
    SELECT f.*, row_number() OVER (PARTITION BY f.event_type ORDER BY f.ordered_at DESC, f.change_key) AS rank
    FROM (SELECT * FROM folded UNION ALL SELECT * FROM own_folded) f WHERE f.latest IS NOT NULL
  ),
  told AS (
    SELECT r.*, row_number() OVER (ORDER BY r.rank > 50, r.ordered_at DESC, r.change_key) AS rank_of_all
    FROM ranked r CROSS JOIN extent x
    WHERE r.rank <= CASE WHEN with_kept AND r.event_type IN ('dependency_failure', 'circuit_open') THEN greatest(per_type, 50) ELSE per_type END
      AND (NOT x.is_part OR r.rank <= of_a_type)
  )
  SELECT json_agg(json_build_array(life_key_of(r.change_key, r.appeared_at), e.id, e.confidence, r.rule, epoch_ms(e."timestamp"),
    epoch_ms(r.ordered_at), epoch_ms(r.first_timestamp), epoch_ms(r.last_received_at), epoch_ms(r.expires_at), epoch_ms(r.first_expires_at),
    r.occurrences, sample_size IS NULL OR r.occurrences < sample_size, e.url, e.details, r.is_over,
    CASE WHEN with_text THEN
      json_build_array(e.event_type, e.vendor, e.entity, left(e.old_value, 1024), left(e.new_value, 1024), e.actor, e.sha, e.environment) END)),
    least(min(r.next_expires_at), (SELECT known_until FROM flags)), (SELECT x.is_part FROM extent x)
  INTO find_lives_v12.changes, find_lives_v12.valid_until, find_lives_v12.is_part
  FROM told r JOIN context_events e ON e.ctid = r.latest
  WHERE r.rank_of_all <= in_all OR NOT (SELECT x.is_part FROM extent x);
END
$$;
