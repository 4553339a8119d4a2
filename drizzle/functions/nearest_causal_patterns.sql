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
