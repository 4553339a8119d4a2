SET LOCAL statement_timeout = 0;
--> statement-breakpoint
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
--> statement-breakpoint
-- Keeps what was decided of an incident's diagnosis; a later verdict replaces an earlier one. False: there is no memory. `form` is
-- the version of the signature that the pattern was made of: embeddings of another one are like nothing of this one.
-- Called by: verdicts. A function because the table, and its type of vectors, may not be there.
CREATE FUNCTION save_causal_pattern_v2(tenant uuid, incident uuid, form int, cause_service text, cause_vendor text, cause_type text,
  cause_value_class text, incident_embedding text, engineers_verdict text) RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
  IF to_regclass('causal_patterns') IS NULL THEN
    RETURN false;
  END IF;
  INSERT INTO causal_patterns AS c (tenant_id, incident_id, v, service, vendor, event_type, value_class, embedding, verdict)
  VALUES (tenant, incident, form, cause_service, cause_vendor, cause_type, cause_value_class, incident_embedding::vector, engineers_verdict)
  ON CONFLICT (tenant_id, incident_id) DO UPDATE SET v = excluded.v, service = excluded.service, vendor = excluded.vendor,
    event_type = excluded.event_type, value_class = excluded.value_class, embedding = excluded.embedding,
    verdict = excluded.verdict, updated_at = now();
  RETURN true;
END
$$;
--> statement-breakpoint
-- The tenant's patterns of the incidents most like this one, with the version of what each was made of, the likest first. Null:
-- there is no memory.
--
-- An HNSW index looks at its nearest candidates first and asks for their tenant afterwards, so that a tenant of few among
-- many would get few answers or none. A tenant with up to `exact_up_to` patterns is therefore searched whole, which is exact;
-- for a larger one the index goes on looking until it has enough.
-- Called by: diagnoses and incidents' pages. A function because the table may not be there.
CREATE FUNCTION nearest_causal_patterns_v2(tenant uuid, incident_embedding text, except_incident uuid, how_many int, exact_up_to int)
RETURNS json
LANGUAGE plpgsql AS $$
DECLARE
  answer json;
BEGIN
  IF to_regclass('causal_patterns') IS NULL THEN
    RETURN NULL;
  END IF;
  IF (SELECT count(*) FROM (SELECT FROM causal_patterns c WHERE c.tenant_id = tenant LIMIT exact_up_to + 1) few) <= exact_up_to THEN
    SELECT json_agg(n.item ORDER BY n.distance, n.incident_id) INTO answer FROM (
      WITH own AS MATERIALIZED (SELECT * FROM causal_patterns c WHERE c.tenant_id = tenant AND c.incident_id IS DISTINCT FROM except_incident)
      SELECT o.incident_id, o.embedding <=> incident_embedding::vector AS distance,
        json_build_object('v', o.v, 'incidentId', o.incident_id, 'service', o.service, 'vendor', o.vendor, 'eventType', o.event_type,
          'valueClass', o.value_class, 'verdict', o.verdict, 'similarity', 1 - (o.embedding <=> incident_embedding::vector)) AS item
      FROM own o ORDER BY distance, o.incident_id LIMIT how_many
    ) n;
  ELSE
    -- Not settings of the function: only superusers may name settings of a library that is not loaded.
    PERFORM set_config('hnsw.iterative_scan', 'strict_order', true), set_config('hnsw.max_scan_tuples', '200000', true),
      set_config('hnsw.ef_search', '100', true);
    SELECT json_agg(n.item ORDER BY n.distance, n.incident_id) INTO answer FROM (
      SELECT c.incident_id, c.embedding <=> incident_embedding::vector AS distance,
        json_build_object('v', c.v, 'incidentId', c.incident_id, 'service', c.service, 'vendor', c.vendor, 'eventType', c.event_type,
          'valueClass', c.value_class, 'verdict', c.verdict, 'similarity', 1 - (c.embedding <=> incident_embedding::vector)) AS item
      FROM causal_patterns c WHERE c.tenant_id = tenant AND c.incident_id IS DISTINCT FROM except_incident
      ORDER BY c.embedding <=> incident_embedding::vector LIMIT how_many
    ) n;
  END IF;
  RETURN coalesce(answer, '[]');
END
$$;
--> statement-breakpoint
-- No Worker calls it, so it keeps its name.
DROP FUNCTION install_causal_patterns();
--> statement-breakpoint
-- Sets up the memory of confirmed and rejected diagnoses where the database offers pgvector (Neon does); elsewhere everything
-- else works without, and the functions say that there is no memory. Does nothing where that is done.
-- Called by: a migration, and operators, should the extension come later: `SELECT install_causal_patterns()`. A function
-- because both do the same.
CREATE FUNCTION install_causal_patterns() RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  IF to_regclass('causal_patterns') IS NOT NULL THEN
    -- One that an earlier release has set up; its rows are of the first form.
    ALTER TABLE causal_patterns ADD COLUMN IF NOT EXISTS v smallint NOT NULL DEFAULT 1;
    RETURN true;
  END IF;
  IF NOT EXISTS (SELECT FROM pg_available_extensions WHERE name = 'vector') THEN
    RETURN false;
  END IF;
  CREATE EXTENSION IF NOT EXISTS vector;
  CREATE TABLE causal_patterns (
    tenant_id uuid NOT NULL,
    incident_id uuid NOT NULL,
    v smallint NOT NULL DEFAULT 1,
    service text NOT NULL,
    vendor text NOT NULL,
    event_type text NOT NULL,
    value_class text NOT NULL,
    embedding vector(128) NOT NULL,
    verdict text NOT NULL CHECK (verdict IN ('confirmed', 'rejected')),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, incident_id)
  );
  CREATE INDEX causal_patterns_by_embedding ON causal_patterns USING hnsw (embedding vector_cosine_ops);
  RETURN true;
EXCEPTION
  -- A role that may not create the extension, or a pgvector without HNSW: as if there were none.
  WHEN insufficient_privilege OR undefined_object OR undefined_file THEN
    RAISE WARNING 'no causal patterns: %', SQLERRM;
    RETURN false;
END
$$;
--> statement-breakpoint
SELECT install_causal_patterns();
