-- The memory of confirmed and rejected diagnoses. It needs pgvector: where a database offers it (Neon does), this migration
-- sets it up; elsewhere everything else works without, and the functions say that there is no memory. Should the extension
-- come later, `SELECT install_causal_patterns()` sets it up then; it does nothing where that is done.
CREATE FUNCTION install_causal_patterns() RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  IF to_regclass('causal_patterns') IS NOT NULL THEN
    RETURN true;
  END IF;
  IF NOT EXISTS (SELECT FROM pg_available_extensions WHERE name = 'vector') THEN
    RETURN false;
  END IF;
  CREATE EXTENSION IF NOT EXISTS vector;
  CREATE TABLE causal_patterns (
    tenant_id uuid NOT NULL,
    incident_id uuid NOT NULL,
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
--> statement-breakpoint
-- Keeps what was decided of an incident's diagnosis; a later verdict replaces an earlier one. False: there is no memory.
CREATE FUNCTION save_causal_pattern_v1(tenant uuid, incident uuid, cause_service text, cause_vendor text, cause_type text,
  cause_value_class text, incident_embedding text, engineers_verdict text) RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
  IF to_regclass('causal_patterns') IS NULL THEN
    RETURN false;
  END IF;
  INSERT INTO causal_patterns AS c (tenant_id, incident_id, service, vendor, event_type, value_class, embedding, verdict)
  VALUES (tenant, incident, cause_service, cause_vendor, cause_type, cause_value_class, incident_embedding::vector, engineers_verdict)
  ON CONFLICT (tenant_id, incident_id) DO UPDATE SET service = excluded.service, vendor = excluded.vendor,
    event_type = excluded.event_type, value_class = excluded.value_class, embedding = excluded.embedding,
    verdict = excluded.verdict, updated_at = now();
  RETURN true;
END
$$;
--> statement-breakpoint
-- Forgets an incident's pattern. False: there is no memory.
CREATE FUNCTION delete_causal_pattern_v1(tenant uuid, incident uuid) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  IF to_regclass('causal_patterns') IS NULL THEN
    RETURN false;
  END IF;
  DELETE FROM causal_patterns c WHERE c.tenant_id = tenant AND c.incident_id = incident;
  RETURN true;
END
$$;
--> statement-breakpoint
-- The tenant's patterns of the incidents most like this one, as [incident, service, vendor, type, value class, verdict,
-- similarity], the likest first. Null: there is no memory.
--
-- An HNSW index looks at its nearest candidates first and asks for their tenant afterwards, so that a tenant of few among
-- many would get few answers or none. A tenant with up to `exact_up_to` patterns is therefore searched whole, which is exact;
-- for a larger one the index goes on looking until it has enough.
CREATE FUNCTION nearest_causal_patterns_v1(tenant uuid, incident_embedding text, except_incident uuid, how_many int, exact_up_to int)
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
        json_build_array(o.incident_id, o.service, o.vendor, o.event_type, o.value_class, o.verdict,
          1 - (o.embedding <=> incident_embedding::vector)) AS item
      FROM own o ORDER BY distance, o.incident_id LIMIT how_many
    ) n;
  ELSE
    -- Not settings of the function: only superusers may name settings of a library that is not loaded.
    PERFORM set_config('hnsw.iterative_scan', 'strict_order', true), set_config('hnsw.max_scan_tuples', '200000', true),
      set_config('hnsw.ef_search', '100', true);
    SELECT json_agg(n.item ORDER BY n.distance, n.incident_id) INTO answer FROM (
      SELECT c.incident_id, c.embedding <=> incident_embedding::vector AS distance,
        json_build_array(c.incident_id, c.service, c.vendor, c.event_type, c.value_class, c.verdict,
          1 - (c.embedding <=> incident_embedding::vector)) AS item
      FROM causal_patterns c WHERE c.tenant_id = tenant AND c.incident_id IS DISTINCT FROM except_incident
      ORDER BY c.embedding <=> incident_embedding::vector LIMIT how_many
    ) n;
  END IF;
  RETURN coalesce(answer, '[]');
END
$$;
