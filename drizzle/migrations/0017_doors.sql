SET LOCAL statement_timeout = 0;--> statement-breakpoint
DROP INDEX "deliveries_by_external_ref";--> statement-breakpoint
ALTER TABLE "incidents" ADD COLUMN "dedupe_key" text;--> statement-breakpoint
ALTER TABLE "incidents" ADD COLUMN "reopened_at" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "deliveries" ADD COLUMN "external_source" text DEFAULT 'pagerduty' NOT NULL;--> statement-breakpoint
ALTER TABLE "api_keys" ADD COLUMN "integration_id" uuid;--> statement-breakpoint
CREATE UNIQUE INDEX "incidents_open_by_key" ON "incidents" USING btree ("tenant_id","external_source",coalesce(dedupe_key, external_ref)) WHERE resolved_at IS NULL;--> statement-breakpoint
CREATE INDEX "incidents_by_key" ON "incidents" USING btree ("tenant_id","external_source",coalesce(dedupe_key, external_ref),"triggered_at");--> statement-breakpoint
CREATE INDEX "api_keys_of_integrations" ON "api_keys" USING btree ("integration_id") WHERE integration_id IS NOT NULL;--> statement-breakpoint
CREATE INDEX "deliveries_by_external_ref" ON "deliveries" USING btree ("tenant_id","external_ref","external_source");--> statement-breakpoint
-- Each integration's token becomes a credential, with the agent that its events are from.
WITH credentials AS (
  INSERT INTO api_keys (id, tenant_id, key_type, name, prefix, last4, hash, integration_id)
  SELECT gen_random_uuid(), i.tenant_id, 'ingest', i.type || ' integration', 'tok_', right(i.token, 4),
    encode(sha256(convert_to(i.token, 'UTF8')), 'hex'), i.id
  FROM integrations i
  ON CONFLICT (hash) DO NOTHING
  RETURNING id, tenant_id, name
)
INSERT INTO agents (id, tenant_id, api_key_id, hostname, name)
SELECT gen_random_uuid(), c.tenant_id, c.id, c.name, c.name FROM credentials c;
