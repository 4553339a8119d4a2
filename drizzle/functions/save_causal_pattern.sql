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
