SET LOCAL statement_timeout = 0;
--> statement-breakpoint
ALTER TABLE "diagnoses" ADD COLUMN "is_snapshot_whole" boolean DEFAULT true NOT NULL;--> statement-breakpoint
ALTER TABLE "idempotency_keys" ADD COLUMN "result" text;--> statement-breakpoint
CREATE INDEX "diagnoses_with_snapshots" ON "diagnoses" USING btree ("made_at") WHERE is_snapshot_whole AND verdict IS DISTINCT FROM 'confirmed';--> statement-breakpoint
CREATE INDEX "incidents_by_age" ON "incidents" USING btree ("created_at");--> statement-breakpoint
-- The Worker gives a statement up after 2.4 s, and cannot end it. For new sessions of this role in this database: whoever
-- needs longer, as migrations do, begins with the line above.
DO $$
BEGIN
  EXECUTE format('ALTER ROLE CURRENT_USER IN DATABASE %I SET statement_timeout = ''3s''', current_database());
EXCEPTION WHEN insufficient_privilege THEN
  RAISE WARNING 'abandoned statements run on: this role may not set its own statement_timeout';
END
$$;
