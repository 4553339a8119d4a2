CREATE TABLE "deliveries" (
	"integration_id" uuid NOT NULL,
	"delivery_id" text NOT NULL,
	"tenant_id" uuid NOT NULL,
	"kind" text NOT NULL,
	"external_ref" text NOT NULL,
	"occurred_at" timestamp with time zone NOT NULL,
	"received_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "deliveries_integration_id_delivery_id_pk" PRIMARY KEY("integration_id","delivery_id")
);
--> statement-breakpoint
CREATE TABLE "diagnoses" (
	"incident_id" uuid NOT NULL,
	"number" integer NOT NULL,
	"tenant_id" uuid NOT NULL,
	"made_at" timestamp with time zone NOT NULL,
	"diagnosed_by" text NOT NULL,
	"hypothesis" text NOT NULL,
	"recommended_action" text,
	"confidence" double precision NOT NULL,
	"abstained" boolean NOT NULL,
	"changed" text,
	"answer" json NOT NULL,
	"context_snapshot" json NOT NULL,
	"signature" json NOT NULL,
	"verdict" text,
	"verdict_at" timestamp with time zone,
	CONSTRAINT "diagnoses_incident_id_number_pk" PRIMARY KEY("incident_id","number")
);
--> statement-breakpoint
CREATE TABLE "incident_work" (
	"incident_id" uuid NOT NULL,
	"kind" text NOT NULL,
	"number" integer NOT NULL,
	"tenant_id" uuid NOT NULL,
	"state" text NOT NULL,
	"next_at" timestamp with time zone NOT NULL,
	"attempts" integer NOT NULL,
	"lease" uuid,
	"reason" text,
	"content" text,
	"done_at" timestamp with time zone,
	"looks" integer DEFAULT 0 NOT NULL,
	"looked_at" timestamp with time zone,
	CONSTRAINT "incident_work_incident_id_kind_number_pk" PRIMARY KEY("incident_id","kind","number")
);
--> statement-breakpoint
CREATE TABLE "incidents" (
	"id" uuid PRIMARY KEY NOT NULL,
	"tenant_id" uuid NOT NULL,
	"service_id" uuid NOT NULL,
	"service_name" text NOT NULL,
	"title" text,
	"url" text,
	"triggered_at" timestamp with time zone NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"resolved_at" timestamp with time zone,
	"external_source" text,
	"external_ref" text,
	"integration_id" uuid,
	"diagnosis_of" uuid,
	"observed_until" timestamp with time zone
);
--> statement-breakpoint
CREATE TABLE "service_edges" (
	"tenant_id" uuid NOT NULL,
	"caller" text NOT NULL,
	"callee" text NOT NULL,
	"seen" integer DEFAULT 0 NOT NULL,
	"last_seen_at" timestamp with time zone,
	"declared" boolean DEFAULT false NOT NULL,
	CONSTRAINT "service_edges_tenant_id_caller_callee_pk" PRIMARY KEY("tenant_id","caller","callee")
);
--> statement-breakpoint
CREATE TABLE "service_graph_progress" (
	"id" integer PRIMARY KEY NOT NULL,
	"learned_until" timestamp with time zone NOT NULL
);
--> statement-breakpoint
ALTER TABLE "services" ALTER COLUMN "agent_id" DROP NOT NULL;--> statement-breakpoint
ALTER TABLE "diagnoses" ADD CONSTRAINT "diagnoses_incident_id_incidents_id_fk" FOREIGN KEY ("incident_id") REFERENCES "public"."incidents"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "incident_work" ADD CONSTRAINT "incident_work_incident_id_incidents_id_fk" FOREIGN KEY ("incident_id") REFERENCES "public"."incidents"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "incidents" ADD CONSTRAINT "incidents_tenant_id_tenants_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."tenants"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "deliveries_by_external_ref" ON "deliveries" USING btree ("tenant_id","external_ref");--> statement-breakpoint
CREATE INDEX "deliveries_by_age" ON "deliveries" USING btree ("received_at");--> statement-breakpoint
CREATE INDEX "diagnoses_by_tenant" ON "diagnoses" USING btree ("tenant_id","incident_id","number");--> statement-breakpoint
CREATE INDEX "diagnoses_of_verdicts" ON "diagnoses" USING btree ("tenant_id","verdict_at") WHERE verdict IS NOT NULL;--> statement-breakpoint
CREATE INDEX "incident_work_due" ON "incident_work" USING btree ("next_at") WHERE state IN ('due', 'watching');--> statement-breakpoint
CREATE INDEX "incident_work_given_up" ON "incident_work" USING btree ("next_at") WHERE state = 'given_up';--> statement-breakpoint
CREATE UNIQUE INDEX "incidents_by_external_ref" ON "incidents" USING btree ("tenant_id","external_source","external_ref");--> statement-breakpoint
CREATE INDEX "incidents_by_tenant" ON "incidents" USING btree ("tenant_id","triggered_at","id");--> statement-breakpoint
CREATE INDEX "incidents_by_service" ON "incidents" USING btree ("tenant_id","service_id","triggered_at");--> statement-breakpoint
CREATE INDEX "context_events_of_failures" ON "context_events" USING btree ("received_at") WHERE event_type IN ('dependency_failure', 'circuit_open');