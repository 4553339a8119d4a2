SET LOCAL statement_timeout = 0;
--> statement-breakpoint
DROP INDEX IF EXISTS "diagnoses_by_verdict";