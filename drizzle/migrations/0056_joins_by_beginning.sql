SET LOCAL statement_timeout = 0;
--> statement-breakpoint
ALTER TABLE "change_joins" ADD COLUMN "event_type" text;--> statement-breakpoint
ALTER TABLE "change_joins" ADD COLUMN "appeared_at" timestamp with time zone;--> statement-breakpoint
CREATE INDEX IF NOT EXISTS "change_joins_by_beginning" ON "change_joins" USING btree ("tenant_id","name_key","event_type","appeared_at");--> statement-breakpoint
CREATE INDEX IF NOT EXISTS "diagnoses_judged" ON "diagnoses" USING btree ("tenant_id","verdict","verdict_at","incident_id") WHERE verdict IS NOT NULL;