-- Rows are written once. They are deleted by the sweep, which says before when (`set_config` for its own transaction), and with
-- their tenant, whose keys are dead by then; that a tenant was deleted stays. The previous Worker's sweep says nothing: what it
-- asks for stays for the next one, and does not end its statement.
-- Called by: the triggers of audit_entries. A function because a trigger is one.
CREATE FUNCTION keep_audit_v1() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  swept_before timestamptz := nullif(current_setting('noctuary.audit_before', true), '')::timestamptz;
BEGIN
  IF TG_OP = 'DELETE' THEN
    IF OLD.at < swept_before THEN RETURN OLD; END IF;
    IF OLD.action <> 'tenant.deleted'
      AND NOT EXISTS (SELECT 1 FROM api_keys k WHERE k.tenant_id = OLD.tenant_id AND k.revoked_at IS NULL) THEN RETURN OLD; END IF;
    IF OLD.at < now() - interval '8 days' THEN RETURN NULL; END IF;
  END IF;
  RAISE EXCEPTION 'audit_entries: % is refused, rows are written once', TG_OP USING ERRCODE = 'restrict_violation';
END
$$;
