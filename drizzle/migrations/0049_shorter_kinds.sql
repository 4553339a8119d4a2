SET LOCAL statement_timeout = 0;
--> statement-breakpoint
CREATE INDEX IF NOT EXISTS "context_events_by_agent_kind" ON "context_events" USING btree ("agent_id","vendor","event_type","received_at" NULLS FIRST);--> statement-breakpoint
CREATE INDEX IF NOT EXISTS "context_events_by_sender_kind" ON "context_events" USING btree (uuid_hash_extended("service_id", uuid_hash_extended("agent_id", 0)),"vendor","event_type","received_at" NULLS FIRST);
