SET LOCAL statement_timeout = 0;
--> statement-breakpoint
CREATE TABLE "swept_events" (
	"tenant_id" uuid NOT NULL,
	"id" uuid NOT NULL,
	"forget_at" timestamp with time zone NOT NULL,
	CONSTRAINT "swept_events_tenant_id_id_pk" PRIMARY KEY("tenant_id","id")
);
--> statement-breakpoint
CREATE INDEX "swept_events_by_end" ON "swept_events" USING btree ("forget_at");--> statement-breakpoint
-- IF NOT EXISTS: where the table is too large for writers to wait, the index is built CONCURRENTLY by hand beforehand.
CREATE INDEX IF NOT EXISTS "context_events_by_tenant_end" ON "context_events" USING btree ("tenant_id",coalesce(kept_until, expires_at));--> statement-breakpoint
-- Last, for its lock keeps readers waiting.
DROP INDEX "context_events_by_expiry";
