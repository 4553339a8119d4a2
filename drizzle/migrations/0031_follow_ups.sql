SET LOCAL statement_timeout = 0;
--> statement-breakpoint
DROP INDEX "incident_work_due";--> statement-breakpoint
DROP INDEX "incident_work_of_tenant";--> statement-breakpoint
DROP INDEX "incident_work_hopeless";--> statement-breakpoint
ALTER TABLE "incident_work" ADD COLUMN "event_id" uuid;--> statement-breakpoint
CREATE INDEX "incident_work_pending" ON "incident_work" USING btree ("next_at") WHERE state IN ('due', 'queued', 'watching', 'awaiting');--> statement-breakpoint
CREATE INDEX "incident_work_due_of_tenant" ON "incident_work" USING btree ("tenant_id","next_at","kind" DESC NULLS FIRST) WHERE state IN ('due', 'queued');--> statement-breakpoint
CREATE INDEX "incident_work_begun_often" ON "incident_work" USING btree ("next_at") WHERE state IN ('due', 'queued') AND attempts >= 20;
--> statement-breakpoint
-- Notes that an incident was resolved, or its answer judged, for the tenant's receivers to be told: whoever did it, and in the same
-- transaction. From 101 on, so that messages about it come after those about answers. Only where there is anybody to tell, which
-- the Worker finds out in full.
-- Called by: triggers of incidents and diagnoses. A function because a trigger is one.
CREATE FUNCTION plan_follow_up_v1() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  incident uuid;
  happened text;
BEGIN
  IF TG_TABLE_NAME = 'incidents' THEN
    incident := NEW.id;
    happened := 'resolved';
  ELSE
    incident := NEW.incident_id;
    happened := NEW.verdict;
  END IF;
  INSERT INTO incident_work (incident_id, kind, number, tenant_id, state, next_at, attempts)
  SELECT incident, happened, 101 + (
      SELECT count(*) FROM incident_work w
      WHERE w.incident_id = incident AND w.target = '00000000-0000-0000-0000-000000000000' AND w.number > 100),
    NEW.tenant_id, 'queued', now(), 0
  WHERE EXISTS (SELECT 1 FROM integrations i WHERE i.tenant_id = NEW.tenant_id AND i.direction = 'outbound')
  ON CONFLICT DO NOTHING;
  RETURN NULL;
END
$$;
--> statement-breakpoint
CREATE TRIGGER incidents_are_followed_up AFTER UPDATE OF resolved_at ON incidents FOR EACH ROW
  WHEN (OLD.resolved_at IS NULL AND NEW.resolved_at IS NOT NULL AND NEW.diagnosis_of IS NULL) EXECUTE FUNCTION plan_follow_up_v1();
--> statement-breakpoint
CREATE TRIGGER diagnoses_are_followed_up AFTER UPDATE OF verdict ON diagnoses FOR EACH ROW
  WHEN (NEW.verdict IS NOT NULL AND NEW.verdict IS DISTINCT FROM OLD.verdict) EXECUTE FUNCTION plan_follow_up_v1();
