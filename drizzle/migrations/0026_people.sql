SET LOCAL statement_timeout = 0;
--> statement-breakpoint
CREATE TABLE "listed_people" (
	"tenant_id" uuid NOT NULL,
	"people" text NOT NULL,
	"role" text NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "listed_people_tenant_id_people_pk" PRIMARY KEY("tenant_id","people")
);
--> statement-breakpoint
ALTER TABLE "diagnoses" ADD COLUMN "verdict_by" text;--> statement-breakpoint
ALTER TABLE "listed_people" ADD CONSTRAINT "listed_people_tenant_id_tenants_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "listed_people_by_name" ON "listed_people" USING btree ("people");