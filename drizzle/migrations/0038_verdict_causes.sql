SET LOCAL statement_timeout = 0;
--> statement-breakpoint
ALTER TABLE "diagnoses" ADD COLUMN "verdict_cause" json;
