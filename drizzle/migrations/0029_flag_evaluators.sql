SET LOCAL statement_timeout = 0;
--> statement-breakpoint
CREATE TABLE "flag_evaluators" (
	"tenant_id" uuid NOT NULL,
	"flag_key" text NOT NULL,
	"service_id" uuid NOT NULL,
	"expires_at" timestamp with time zone NOT NULL,
	"written_by" "xid8" DEFAULT pg_current_xact_id() NOT NULL,
	CONSTRAINT "flag_evaluators_tenant_id_service_id_flag_key_pk" PRIMARY KEY("tenant_id","service_id","flag_key")
);
--> statement-breakpoint
CREATE INDEX "flag_evaluators_by_flag" ON "flag_evaluators" USING btree ("tenant_id","flag_key");--> statement-breakpoint
CREATE INDEX "flag_evaluators_by_expiry" ON "flag_evaluators" USING btree ("expires_at");