SET LOCAL statement_timeout = 0;
--> statement-breakpoint
CREATE INDEX IF NOT EXISTS "diagnoses_by_verdict" ON "diagnoses" USING btree ("tenant_id","verdict","incident_id") WHERE verdict IS NOT NULL;--> statement-breakpoint
CREATE INDEX IF NOT EXISTS "incidents_unresolved" ON "incidents" USING btree ("tenant_id","triggered_at","id") WHERE resolved_at IS NULL;