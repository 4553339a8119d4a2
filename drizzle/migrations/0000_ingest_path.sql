CREATE TABLE "agent_minutes" (
	"agent_id" uuid NOT NULL,
	"tenant_id" uuid NOT NULL,
	"minute" timestamp with time zone NOT NULL,
	"count" integer NOT NULL,
	CONSTRAINT "agent_minutes_agent_id_minute_pk" PRIMARY KEY("agent_id","minute")
);
--> statement-breakpoint
CREATE TABLE "agents" (
	"id" uuid PRIMARY KEY NOT NULL,
	"tenant_id" uuid NOT NULL,
	"api_key_id" uuid NOT NULL,
	"hostname" text NOT NULL,
	"name" text NOT NULL,
	"agent_version" text,
	"registered_at" timestamp with time zone DEFAULT now() NOT NULL,
	"last_seen_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "agents_api_key_id_unique" UNIQUE("api_key_id")
);
--> statement-breakpoint
CREATE TABLE "api_keys" (
	"id" uuid PRIMARY KEY NOT NULL,
	"tenant_id" uuid NOT NULL,
	"key_type" text NOT NULL,
	"name" text,
	"prefix" text NOT NULL,
	"last4" text NOT NULL,
	"hash" text NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"last_used_at" timestamp with time zone,
	"revoked_at" timestamp with time zone,
	CONSTRAINT "api_keys_hash_unique" UNIQUE("hash")
);
--> statement-breakpoint
CREATE TABLE "change_joins" (
	"tenant_id" uuid NOT NULL,
	"name_key" text NOT NULL,
	"service_id" uuid NOT NULL,
	"change_key" uuid NOT NULL,
	"rule" text NOT NULL,
	"expires_at" timestamp with time zone NOT NULL,
	CONSTRAINT "change_joins_service_id_change_key_name_key_pk" PRIMARY KEY("service_id","change_key","name_key")
);
--> statement-breakpoint
CREATE TABLE "context_events" (
	"id" uuid PRIMARY KEY NOT NULL,
	"tenant_id" uuid NOT NULL,
	"agent_id" uuid NOT NULL,
	"service_id" uuid NOT NULL,
	"service_name" text NOT NULL,
	"vendor" text NOT NULL,
	"event_type" text NOT NULL,
	"entity" text NOT NULL,
	"old_value" text,
	"new_value" text,
	"actor" text,
	"sha" text,
	"confidence" double precision NOT NULL,
	"ttl_seconds" integer NOT NULL,
	"timestamp" timestamp with time zone NOT NULL,
	"received_at" timestamp with time zone NOT NULL,
	"expires_at" timestamp with time zone NOT NULL,
	"raw_line" text,
	"value_class" text NOT NULL,
	"change_key" uuid NOT NULL,
	"appeared_at" timestamp with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "event_counts" (
	"tenant_id" uuid NOT NULL,
	"service_id" uuid NOT NULL,
	"hour" timestamp with time zone NOT NULL,
	"kind_key" uuid NOT NULL,
	"vendor" text NOT NULL,
	"event_type" text NOT NULL,
	"entity" text NOT NULL,
	"value_class" text NOT NULL,
	"count" integer NOT NULL,
	CONSTRAINT "event_counts_service_id_hour_kind_key_pk" PRIMARY KEY("service_id","hour","kind_key")
);
--> statement-breakpoint
CREATE TABLE "idempotency_keys" (
	"api_key_id" uuid NOT NULL,
	"key" text NOT NULL,
	"body_hash" text NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "idempotency_keys_api_key_id_key_pk" PRIMARY KEY("api_key_id","key")
);
--> statement-breakpoint
CREATE TABLE "services" (
	"id" uuid PRIMARY KEY NOT NULL,
	"tenant_id" uuid NOT NULL,
	"agent_id" uuid NOT NULL,
	"name" text NOT NULL,
	"name_key" text NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"last_event_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "tenants" (
	"id" uuid PRIMARY KEY NOT NULL,
	"name" text NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "tenants_name_unique" UNIQUE("name")
);
--> statement-breakpoint
CREATE TABLE "window_repairs" (
	"service_id" uuid PRIMARY KEY NOT NULL,
	"tenant_id" uuid NOT NULL,
	"failed_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
ALTER TABLE "agents" ADD CONSTRAINT "agents_tenant_id_tenants_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "agents" ADD CONSTRAINT "agents_api_key_id_api_keys_id_fk" FOREIGN KEY ("api_key_id") REFERENCES "public"."api_keys"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "api_keys" ADD CONSTRAINT "api_keys_tenant_id_tenants_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "services" ADD CONSTRAINT "services_tenant_id_tenants_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "services" ADD CONSTRAINT "services_agent_id_agents_id_fk" FOREIGN KEY ("agent_id") REFERENCES "public"."agents"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "agent_minutes_by_minute" ON "agent_minutes" USING btree ("minute");--> statement-breakpoint
CREATE INDEX "agents_by_tenant" ON "agents" USING btree ("tenant_id","registered_at");--> statement-breakpoint
CREATE INDEX "api_keys_by_tenant" ON "api_keys" USING btree ("tenant_id","created_at");--> statement-breakpoint
CREATE INDEX "change_joins_by_name_key" ON "change_joins" USING btree ("tenant_id","name_key");--> statement-breakpoint
CREATE INDEX "change_joins_by_expiry" ON "change_joins" USING btree ("expires_at");--> statement-breakpoint
CREATE INDEX "context_events_by_expiry" ON "context_events" USING btree ("expires_at");--> statement-breakpoint
CREATE INDEX "context_events_by_change" ON "context_events" USING btree ("service_id","change_key","expires_at");--> statement-breakpoint
CREATE INDEX "context_events_by_agent" ON "context_events" USING btree ("agent_id","received_at","id");--> statement-breakpoint
CREATE INDEX "idempotency_keys_by_age" ON "idempotency_keys" USING btree ("created_at");--> statement-breakpoint
CREATE INDEX "services_by_name_key" ON "services" USING btree ("tenant_id","name_key");