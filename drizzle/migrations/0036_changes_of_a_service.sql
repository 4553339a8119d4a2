SET LOCAL statement_timeout = 0;
--> statement-breakpoint
CREATE INDEX IF NOT EXISTS "context_events_by_service_beginning" ON "context_events" USING btree ("service_id","event_type",least("timestamp", received_at),"id") WHERE received_at - appeared_at < interval '1 second';