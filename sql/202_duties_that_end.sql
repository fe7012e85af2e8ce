-- A duty ends: when, why, and what took its place. Of the facts there are, built under the readings before, it
-- follows from what they hold; no case has to be built anew. One pass writes the table as it stays.
alter table mart.fct_timeliness
add column closed_in_time_at timestamptz,
add column is_late_at_return boolean not null default false,
add column ended_at timestamptz,
add column end_reason text,
add column superseded_by_assignment_id text;

alter table mart.fct_timeliness
alter column closed_in_time_at type timestamptz using case when is_closed_on_time then closed_at end,
alter column ended_at type timestamptz using coalesce(voided_at, closed_at),
alter column end_reason type text using case
    when voided_at is not null then void_reason when closed_at is not null then 'closed'
end;

-- Told again: what was told, and what stands.
alter table audit.lifecycle_anomaly
add column told_due_at timestamptz,
add column standing_due_at timestamptz;
comment on column audit.lifecycle_anomaly.told_due_at is
'Of dispatched_again: the limit told with the second dispatch, which binds nobody.';
comment on column audit.lifecycle_anomaly.standing_due_at is
'Of dispatched_again: the limit in force of the duty that the unit has.';
