-- IF NOT EXISTS: where the table is too large for writers to wait, the index is built CONCURRENTLY by hand beforehand.
CREATE INDEX IF NOT EXISTS "context_events_by_beginning" ON "context_events" USING btree ("tenant_id","event_type",least("timestamp", received_at),"id") WHERE received_at - appeared_at < interval '1 second';
