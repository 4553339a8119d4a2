SET LOCAL statement_timeout = 0;
--> statement-breakpoint
DROP INDEX IF EXISTS "diagnoses_by_tenant";--> statement-breakpoint
CREATE INDEX IF NOT EXISTS "diagnoses_counted" ON "diagnoses" USING btree ("tenant_id","incident_id","number","abstained");
