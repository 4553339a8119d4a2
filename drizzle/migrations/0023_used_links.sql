SET LOCAL statement_timeout = 0;
--> statement-breakpoint
ALTER TABLE "incident_work" ADD COLUMN "used_links" text[] DEFAULT '{}' NOT NULL;