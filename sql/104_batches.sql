-- One row per delivery that was taken or refused. Every row of a taken file is staged, rejected or a duplicate.
create table audit.batch (
    batch_id bigint generated always as identity primary key,
    feed_code text not null,
    delivery text not null,
    kind text not null check (kind in ('case', 'event', 'callback')),
    business_date date not null,
    source_name text not null,
    source_sha256 text not null,
    source_bytes bigint not null,
    received_rows bigint,
    staged_rows bigint not null default 0,
    rejected_rows bigint not null default 0,
    duplicate_rows bigint not null default 0,
    control_total bigint,
    status text not null check (status in ('loaded', 'accepted', 'held', 'refused', 'superseded')),
    reason_code text,
    reason text,
    notes jsonb not null default '[]',
    order_key bigint not null,
    replays_batch_id bigint references audit.batch,
    superseded_by bigint references audit.batch,
    started_at timestamptz not null,
    loaded_at timestamptz not null default clock_timestamp(),
    -- What stands for a delivery's content: the bytes' sha256, or for an API pull that of its canonical rows.
    content_sha256 text,
    constraint every_row_is_accounted_for
    check (status = 'refused' or received_rows = staged_rows + rejected_rows + duplicate_rows),
    constraint a_refusal_has_a_reason check (status not in ('refused', 'held') or reason_code is not null)
);
-- A refused file may be sent again once its cause is mended, and a replay stands in for the batch it withdraws.
create unique index batch_identity
on audit.batch (feed_code, delivery, business_date, (coalesce(content_sha256, source_sha256)))
where status not in ('refused', 'superseded');
create index batch_by_date on audit.batch (business_date, feed_code);
create index batch_by_status on audit.batch (status) where status in ('loaded', 'held');
-- The history that a threshold looks at is a bounded span of days of one delivery.
create index batch_by_delivery on audit.batch (feed_code, delivery, business_date)
where status in ('loaded', 'accepted');
comment on column audit.batch.received_rows is 'Rows counted in the file; null when the file could not be read.';
comment on column audit.batch.notes is 'What was accepted with a remark: [{"code", "column", "rows"}].';
comment on column audit.batch.order_key is
'Orders versions of a record: business date, then batch; a replay inherits it.';
grant select on audit.batch to minhu_evaluator;  -- whoever explains a score names the files that its rows came from

-- Loads that changed nothing. A source that cannot be reached is no empty delivery.
create table audit.attempt (
    attempt_id bigint generated always as identity primary key,
    feed_code text not null,
    delivery text not null,
    business_date date not null,
    source_name text,
    source_sha256 text,
    batch_id bigint references audit.batch,
    outcome text not null check (outcome in ('already_loaded', 'nothing_delivered', 'unreachable')),
    attempted_at timestamptz not null default clock_timestamp()
);
create index attempt_by_date on audit.attempt (business_date, feed_code);
comment on table audit.attempt is
'Loads that changed nothing: the file was already loaded, none was there, or the source could not be reached.';

-- Where an incremental source goes on: written in the transaction that commits the batch, never before.
create table audit.source_cursor (
    feed_code text not null,
    delivery text not null,
    cursor_value text not null,
    batch_id bigint not null references audit.batch,
    written_at timestamptz not null default clock_timestamp(),
    primary key (feed_code, delivery)
);

-- Verdicts on batches: a gate's or a person's. The newest one explains audit.batch.status. None is ever changed: the
-- trigger that sees to it stands with the access log.
create table audit.batch_verdict (
    verdict_id bigint generated always as identity primary key,
    batch_id bigint not null references audit.batch,
    verdict text not null check (verdict in ('accepted', 'held')),
    quality_run_id bigint,
    why text not null,
    decided_by text not null default session_user,
    decided_at timestamptz not null default clock_timestamp()
);
create index batch_verdict_batch on audit.batch_verdict (batch_id);

-- Rows that the door rejected. Everybody else sees that they are, and why, without what was in them.
create table restricted.rejected_row (
    batch_id bigint not null references audit.batch,
    row_number bigint not null,
    reason_code text not null,
    column_name text,
    raw jsonb not null,
    primary key (batch_id, row_number)
);
create view audit.rejected_row as
select
    batch_id,
    row_number,
    reason_code,
    column_name
from restricted.rejected_row;

-- What retention deleted. A batch's account stays whole: its staged rows are those in staging and the identical rows
-- here, its rejected rows those in restricted and the rejected rows here.
create table audit.pruned (
    pruned_id bigint generated always as identity primary key,
    batch_id bigint references audit.batch,
    what text not null check (what in ('landed_file', 'rejected_rows', 'identical_rows')),
    rows bigint check (rows > 0),
    source_sha256 text,
    kept_days integer not null,
    pruned_by text not null default session_user,
    pruned_at timestamptz not null default clock_timestamp(),
    constraint a_file_has_a_hash_and_rows_a_number
    check (case when what = 'landed_file' then source_sha256 is not null else batch_id is not null and rows > 0 end)
);
create index pruned_batch on audit.pruned (batch_id);
comment on column audit.pruned.batch_id is
'Null for a landed file that no batch refers to: its load was killed and never run again.';
comment on column audit.pruned.kept_days is 'The retention in force when it was deleted.';
