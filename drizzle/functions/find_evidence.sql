-- The changes of a service as a diagnosis may see them: of what happened up to an instant, and those that have expired but are
-- kept, in the rows of find_lives.
-- Called by: diagnoses, for each service that may matter. A function to be called for many services by one statement.
CREATE FUNCTION find_evidence_v13(own_tenant uuid, service uuid, until timestamptz, sample_size int, per_type int)
RETURNS json
LANGUAGE plpgsql STABLE SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
#variable_conflict use_column
DECLARE
  found_service record;
  changes json;
BEGIN
  SELECT s.id, s.name, s.name_key INTO found_service FROM services s WHERE s.id = service AND s.tenant_id = own_tenant;

  IF FOUND THEN
    SELECT l.changes INTO changes
    FROM find_lives_v12(own_tenant, found_service.id, found_service.name_key, now(), 'infinity', until, true, true, sample_size, per_type) l;
  END IF;

  RETURN json_build_object('service_id', found_service.id, 'service_name', found_service.name, 'changes', changes);
END
$$;
