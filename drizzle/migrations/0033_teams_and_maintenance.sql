SET LOCAL statement_timeout = 0;
--> statement-breakpoint
CREATE TABLE "maintenance_windows" (
	"id" uuid PRIMARY KEY NOT NULL,
	"tenant_id" uuid NOT NULL,
	"service" text,
	"service_key" text,
	"team" text,
	"team_key" text,
	"starts_at" timestamp with time zone NOT NULL,
	"ends_at" timestamp with time zone NOT NULL,
	"reason" text,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
ALTER TABLE "services" ADD COLUMN "team" text;--> statement-breakpoint
ALTER TABLE "services" ADD COLUMN "team_key" text;--> statement-breakpoint
ALTER TABLE "services" ADD COLUMN "owner_url" text;--> statement-breakpoint
ALTER TABLE "maintenance_windows" ADD CONSTRAINT "maintenance_windows_tenant_id_tenants_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "maintenance_windows_by_tenant" ON "maintenance_windows" USING btree ("tenant_id","ends_at");