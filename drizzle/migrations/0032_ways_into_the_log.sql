SET LOCAL statement_timeout = 0;
--> statement-breakpoint
CREATE TABLE "agent_rates" (
	"agent_id" uuid PRIMARY KEY NOT NULL,
	"tenant_id" uuid NOT NULL,
	"counted_until" timestamp with time zone NOT NULL,
	"minutes" integer[] NOT NULL
);
--> statement-breakpoint
CREATE INDEX IF NOT EXISTS "context_events_by_kind" ON "context_events" USING btree ("agent_id","vendor","event_type","received_at" DESC NULLS LAST,"id" DESC NULLS LAST);--> statement-breakpoint
CREATE INDEX IF NOT EXISTS "context_events_by_service_kind" ON "context_events" USING btree ("agent_id","service_id","vendor","event_type","received_at" DESC NULLS LAST,"id" DESC NULLS LAST);--> statement-breakpoint
CREATE INDEX IF NOT EXISTS "services_by_name" ON "services" USING btree ("tenant_id","name");
--> statement-breakpoint
-- Compiling a statement takes longer than any of ours runs: 0.7 s of 0.75 for one that reads a thousand agents.
DO $$
BEGIN
  EXECUTE format('ALTER ROLE CURRENT_USER IN DATABASE %I SET jit = off', current_database());
EXCEPTION WHEN insufficient_privilege THEN
  RAISE WARNING 'statements may be compiled, which takes longer than they run: this role may not set its own jit';
END
$$;
