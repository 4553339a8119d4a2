SET LOCAL statement_timeout = 0;
--> statement-breakpoint
ALTER TABLE "incident_work" ADD COLUMN "target" uuid DEFAULT '00000000-0000-0000-0000-000000000000' NOT NULL;--> statement-breakpoint
ALTER TABLE "incident_work" DROP CONSTRAINT "incident_work_incident_id_kind_number_pk";--> statement-breakpoint
ALTER TABLE "incident_work" ADD CONSTRAINT "incident_work_incident_id_kind_number_target_pk" PRIMARY KEY("incident_id","kind","number","target");--> statement-breakpoint
ALTER TABLE "incident_work" ADD COLUMN "remote_ref" text;--> statement-breakpoint
ALTER TABLE "integrations" ADD COLUMN "telling" jsonb;--> statement-breakpoint
CREATE INDEX "incident_work_of_target" ON "incident_work" USING btree ("tenant_id","target","next_at" DESC NULLS LAST) WHERE target <> '00000000-0000-0000-0000-000000000000';