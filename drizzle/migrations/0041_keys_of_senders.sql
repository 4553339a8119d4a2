SET LOCAL statement_timeout = 0;
--> statement-breakpoint
ALTER TABLE "incidents" ADD COLUMN "sender_id" uuid;--> statement-breakpoint
CREATE UNIQUE INDEX "incidents_open_by_sender" ON "incidents" USING btree ("tenant_id","external_source",coalesce(dedupe_key, external_ref),coalesce(sender_id, '00000000-0000-0000-0000-000000000000')) WHERE resolved_at IS NULL;--> statement-breakpoint
DROP INDEX "incidents_open_by_key";
