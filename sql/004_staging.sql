-- What feeds sent, in the canonical layout, one row per source row, every version kept.
-- payload holds unmapped columns only, scanned like every free text.
-- A batch's rows lie together on disk, so a block range index finds them. A primary key and a foreign key to the manifest
-- doubled the time of a load: one transaction writes both, and reconciliation counts them against each other.
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
    row_hash text not null
);
create index case_record_batch on staging.case_record using brin (batch_id) with (pages_per_range = 16);
create index case_record_case on staging.case_record (feed_code, case_no);
create index case_record_upstream on staging.case_record (upstream_feed_code, upstream_case_no)
    where upstream_case_no is not null;

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
    row_hash text not null
);
create index case_event_batch on staging.case_event using brin (batch_id) with (pages_per_range = 16);
create index case_event_case on staging.case_event (case_feed_code, case_no);

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
    row_hash text not null
);
create index callback_batch on staging.callback using brin (batch_id) with (pages_per_range = 16);
create index callback_case on staging.callback (case_feed_code, case_no);
