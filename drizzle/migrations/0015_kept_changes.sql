SET LOCAL statement_timeout = 0;
--> statement-breakpoint
-- IF NOT EXISTS: where the table is too large for writers to wait, the columns are added and the index built CONCURRENTLY by
-- hand beforehand.
ALTER TABLE "context_events" ADD COLUMN IF NOT EXISTS "kept_until" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "context_events" ADD COLUMN IF NOT EXISTS "environment" text;--> statement-breakpoint
ALTER TABLE "context_events" ADD COLUMN IF NOT EXISTS "url" text;--> statement-breakpoint
ALTER TABLE "context_events" ADD COLUMN IF NOT EXISTS "details" jsonb;--> statement-breakpoint
ALTER TABLE "incidents" ADD COLUMN IF NOT EXISTS "environment" text;--> statement-breakpoint
ALTER TABLE "services" ADD COLUMN IF NOT EXISTS "last_change_at" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "services" ADD COLUMN IF NOT EXISTS "last_change_agent_id" uuid;--> statement-breakpoint
CREATE INDEX IF NOT EXISTS "context_events_by_end" ON "context_events" USING btree (coalesce(kept_until, expires_at));--> statement-breakpoint
-- Services whose changes were counted already did send some: roughly when, and without who sent it.
UPDATE services SET last_change_at = c.hour FROM (
  SELECT service_id, max(hour) AS hour FROM event_counts
  WHERE event_type IN ('deploy', 'config_change', 'flag_change', 'schema_change', 'scale_event') GROUP BY service_id
) c WHERE c.service_id = services.id;--> statement-breakpoint
UPDATE services SET last_change_at = c.hour FROM (
  SELECT tenant_id, lower(regexp_replace(entity, '[\s\-_./:]+', '', 'g')) AS name_key, max(hour) AS hour FROM event_counts
  WHERE event_type = 'deploy' AND vendor = 'argocd' GROUP BY 1, 2
) c WHERE c.tenant_id = services.tenant_id AND c.name_key = services.name_key AND services.last_change_at IS NULL;
