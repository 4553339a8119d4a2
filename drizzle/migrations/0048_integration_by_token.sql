SET LOCAL statement_timeout = 0;
--> statement-breakpoint
-- The integration whose token has this hash as `known`: its id, its revision, and all of it unless it `fits`; nulls when the token
-- is dead. It fits when it receives and is set as is `supposed`: by its revision or, where nothing is set that has a say in how
-- deliveries are read, by its type.
-- Called by: deliveries, in the statement that stores their events. A function because that is hot: planned once a connection.
CREATE FUNCTION integration_by_token_v1(token_hash text, supposed text, OUT known json, OUT fits boolean)
LANGUAGE plpgsql STABLE SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
BEGIN
  SELECT json_build_object('id', i.id, 'revision', r.revision, 'integration', CASE WHEN NOT f.fits THEN json_build_object('id', i.id,
      'tenantId', i.tenant_id, 'type', i.type, 'direction', i.direction, 'token', i.token, 'config', i.config, 'secrets', i.secrets,
      'createdAt', (extract(epoch FROM i.created_at) * 1000)::bigint, 'telling', i.telling) END), f.fits
  INTO integration_by_token_v1.known, integration_by_token_v1.fits
  FROM api_keys k JOIN integrations i ON i.id = k.integration_id
    CROSS JOIN LATERAL (
      SELECT md5(i.type || ' ' || i.direction || ' ' || i.config::text || ' ' || i.secrets::text) AS revision OFFSET 0
    ) r
    CROSS JOIN LATERAL (
      SELECT coalesce(i.direction <> 'outbound' AND (r.revision = supposed
        OR i.type = supposed AND i.secrets = '{}' AND i.config - 'from' IN ('{}', '{"serviceMap": {}}')), false) AS fits OFFSET 0
    ) f
  WHERE k.hash = token_hash AND k.revoked_at IS NULL;
END
$$;
