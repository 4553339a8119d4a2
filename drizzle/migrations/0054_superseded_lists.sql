SET LOCAL statement_timeout = 0;
--> statement-breakpoint
DROP INDEX IF EXISTS "change_joins_by_name_key";--> statement-breakpoint
DROP INDEX IF EXISTS "incidents_by_tenant";