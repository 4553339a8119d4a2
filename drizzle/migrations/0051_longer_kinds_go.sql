SET LOCAL statement_timeout = 0;
--> statement-breakpoint
-- After the migrations whose indexes take their place, and by itself: its lock keeps readers waiting.
DROP INDEX IF EXISTS "context_events_by_kind";--> statement-breakpoint
DROP INDEX IF EXISTS "context_events_by_service_kind";
