-- A service's id, a UUID of version 8 (RFC 9562) made of a hash: clients that open a service at once agree on it.
-- Called by: ingest_events, receive_alerts, receive_question. A function to say it once; STABLE and without a FROM, so that the planner puts it
-- in place of the call: called, it cost more than all the rest of a statement.
CREATE FUNCTION service_id_of(tenant uuid, service_name text) RETURNS uuid LANGUAGE sql STABLE AS $$
  SELECT overlay(overlay(left(encode(sha256(convert_to(tenant::text || '/' || service_name, 'UTF8')), 'hex'), 32)
    PLACING '8' FROM 13 FOR 1) PLACING '8' FROM 17 FOR 1)::uuid
$$;
