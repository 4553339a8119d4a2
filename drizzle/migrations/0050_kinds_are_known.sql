SET LOCAL statement_timeout = 0;
--> statement-breakpoint
-- How many events share a hash is known from here on: until the next ANALYZE it was guessed, and far too high. Not of a table that
-- has none yet, whose plans would be made for as few.
DO $$
BEGIN
  IF EXISTS (SELECT 1 FROM context_events) THEN
    ANALYZE context_events;
  END IF;
END
$$;
