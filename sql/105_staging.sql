-- What feeds sent, in the canonical layout, one row per source row, every version kept. payload holds unmapped columns
-- only, scanned like every free text. A batch's rows lie together on disk, so a block range index finds them. A primary
-- key and a foreign key to the manifest doubled the time of a load: one transaction writes both, and reconciliation
-- counts them against each other. is_deleted is a sender's word that a record is gone: the tombstone is a version of
-- the record like any other.
create table staging.case_record (
    feed_code text not null,
    case_no text not null,
    upstream_feed_code text,
    upstream_case_no text,
    request_type text,
    category_code text,
    channel text,
    urgency text,
    received_at timestamptz not null,
    title text,
    content text,
    address text,
    area_code text,
    longitude double precision,
    latitude double precision,
    caller_token text,
    caller_key_id text,
    caller_masked text,
    is_confidential boolean,
    accept_mode text,
    status text,
    milestones jsonb,
    source_updated_at timestamptz,
    payload jsonb,
    batch_id bigint not null,
    row_number bigint not null,
    row_hash text not null,
    is_deleted boolean not null default false
);
create index case_record_batch on staging.case_record using brin (batch_id) with (pages_per_range = 16);
create index case_record_case on staging.case_record (feed_code, case_no);
create index case_record_upstream on staging.case_record (upstream_feed_code, upstream_case_no)
where upstream_case_no is not null;
-- A build asks of every touched case whom it was transferred from and what it was merged into. Few cases say either: an
-- index of those alone answers without reading all their rows.
create index case_record_transfer on staging.case_record (feed_code, case_no)
include (upstream_feed_code, upstream_case_no) where upstream_case_no is not null;

create table staging.case_event (
    case_feed_code text not null,
    case_no text not null,
    source_event_no text,
    event_type text not null,
    occurred_at timestamptz not null,
    unit_name text,
    unit_role text,
    due_at timestamptz,
    limit_kind text,
    result_code text,
    reason_code text,
    note text,
    payload jsonb,
    feed_code text not null,
    batch_id bigint not null,
    row_number bigint not null,
    row_hash text not null,
    is_deleted boolean not null default false
);
create index case_event_batch on staging.case_event using brin (batch_id) with (pages_per_range = 16);
create index case_event_case on staging.case_event (case_feed_code, case_no);
create index case_event_merge on staging.case_event (case_feed_code, result_code) where event_type = 'MERGE';
create index case_event_merged on staging.case_event (case_feed_code, case_no)
include (result_code) where event_type = 'MERGE';

create table staging.callback (
    case_feed_code text not null,
    case_no text not null,
    unit_name text,
    round integer,
    called_at timestamptz not null,
    channel text,
    is_reached boolean,
    contact_code text,
    resolution_code text,
    satisfaction_scale text,
    satisfaction_code text,
    reason text,
    payload jsonb,
    feed_code text not null,
    batch_id bigint not null,
    row_number bigint not null,
    row_hash text not null,
    is_deleted boolean not null default false,
    reach_code text  -- whether a citizen was reached has three answers
);
create index callback_batch on staging.callback using brin (batch_id) with (pages_per_range = 16);
create index callback_case on staging.callback (case_feed_code, case_no);

-- What was told of a case, for auditors: the rows of staging without any column that citizens filled and without free
-- text. The views read with their owner's rights; auditors see nothing else of staging.
create view audit.told_record as
select
    feed_code,
    case_no,
    source_updated_at,
    batch_id,
    row_number,
    row_hash,
    is_deleted
from staging.case_record;
comment on view audit.told_record is
'送达的工单记录 — Every version of every case record: keys, time and place, nothing of its content.';

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
    case_feed_code,
    case_no,
    event_type,
    occurred_at,
    unit_name,
    unit_role,
    due_at,
    feed_code,
    batch_id,
    row_number,
    row_hash,
    is_deleted
from staging.case_event;
comment on view audit.told_event is '送达的办理事件 — Every event delivered, without its note.';

create view audit.told_callback as
select
    case_feed_code,
    case_no,
    called_at,
    unit_name,
    round,
    channel,
    is_reached,
    contact_code,
    resolution_code,
    satisfaction_code,
    feed_code,
    batch_id,
    row_number,
    is_deleted
from staging.callback;
comment on view audit.told_callback is '送达的回访 — Every callback delivered, without its reason.';
