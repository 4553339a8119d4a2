SET LOCAL statement_timeout = 0;
--> statement-breakpoint
-- How many events share a hash is known from here on: until the next ANALYZE it was guessed, and far too high.
ANALYZE "context_events";
