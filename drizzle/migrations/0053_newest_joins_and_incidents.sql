SET LOCAL statement_timeout = 0;
--> statement-breakpoint
CREATE INDEX IF NOT EXISTS "change_joins_by_name" ON "change_joins" USING btree ("tenant_id","name_key","expires_at");--> statement-breakpoint
CREATE INDEX IF NOT EXISTS "incidents_listed" ON "incidents" USING btree ("tenant_id","triggered_at","id","resolved_at","diagnosis_of");