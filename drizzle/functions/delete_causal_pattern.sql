-- Forgets an incident's pattern. False: there is no memory.
-- Called by: verdicts on answers without a cause. A function because the table may not be there.
CREATE FUNCTION delete_causal_pattern_v1(tenant uuid, incident uuid) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  IF to_regclass('causal_patterns') IS NULL THEN
    RETURN false;
  END IF;
  DELETE FROM causal_patterns c WHERE c.tenant_id = tenant AND c.incident_id = incident;
  RETURN true;
END
$$;
