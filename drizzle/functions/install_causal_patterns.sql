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
