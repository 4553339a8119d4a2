-- Gives an integration the credential that its token is, with the agent that its events are from, where the Worker that stored the
-- token does not know of credentials: one from before there were any, which goes on serving until the next is deployed. Later ones
-- seal the token, and keep its credential themselves.
-- Called by: a trigger of integrations. A function because a trigger is one.
CREATE FUNCTION keep_credential_v1() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  token_hash text := encode(sha256(convert_to(NEW.token, 'UTF8')), 'hex');
  key_id uuid := gen_random_uuid();
BEGIN
  IF strpos(NEW.token, '.') > 0 OR (NEW.direction = 'outbound' AND NEW.type <> 'pagerduty')
    OR EXISTS (SELECT 1 FROM api_keys k WHERE k.hash = token_hash) THEN RETURN NULL; END IF;
  UPDATE api_keys SET hash = token_hash, last4 = right(NEW.token, 4) WHERE integration_id = NEW.id AND revoked_at IS NULL;
  IF NOT FOUND THEN
    INSERT INTO api_keys (id, tenant_id, key_type, name, prefix, last4, hash, integration_id)
    VALUES (key_id, NEW.tenant_id, 'ingest', NEW.type || ' integration', 'tok_', right(NEW.token, 4), token_hash, NEW.id);
    INSERT INTO agents (id, tenant_id, api_key_id, hostname, name)
    VALUES (gen_random_uuid(), NEW.tenant_id, key_id, NEW.type || ' integration', NEW.type || ' integration');
  END IF;
  RETURN NULL;
END
$$;
