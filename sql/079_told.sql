-- What was told of a case, for auditors: the rows of staging without any column that citizens filled and without free
-- text. The views read with their owner's rights; auditors see nothing else of staging.
create view audit.told_record as
select feed_code, case_no, source_updated_at, batch_id, row_number, row_hash, is_deleted
from staging.case_record;
comment on view audit.told_record is '送达的工单记录 — Every version of every case record: keys, time and place, nothing of its content.';

create view audit.told_milestone as
select
    record.feed_code,
    record.case_no,
    milestone.event ->> 'event_type' as event_type,
    (milestone.event ->> 'occurred_at')::timestamptz as occurred_at,
    milestone.event ->> 'unit_name' as unit_name,
    milestone.event ->> 'unit_role' as unit_role,
    (milestone.event ->> 'due_at')::timestamptz as due_at,
    record.batch_id,
    record.row_number,
    record.row_hash
from staging.case_record as record
cross join lateral jsonb_array_elements(record.milestones) as milestone (event);
comment on view audit.told_milestone is '工单行上的办理环节 — Events that a case row carries on its own line.';

create view audit.told_event as
select
    case_feed_code, case_no, event_type, occurred_at, unit_name, unit_role, due_at, feed_code, batch_id, row_number,
    row_hash, is_deleted
from staging.case_event;
comment on view audit.told_event is '送达的办理事件 — Every event delivered, without its note.';

create view audit.told_callback as
select
    case_feed_code, case_no, called_at, unit_name, round, channel, is_reached, contact_code, resolution_code,
    satisfaction_code, feed_code, batch_id, row_number, is_deleted
from staging.callback;
comment on view audit.told_callback is '送达的回访 — Every callback delivered, without its reason.';

grant select on audit.told_record, audit.told_milestone, audit.told_event, audit.told_callback to minhu_auditor;

-- What was published about one case, whatever the period.
create index evidence_case on publish.evidence (case_id);
