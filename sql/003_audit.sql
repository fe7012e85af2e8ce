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
    constraint every_row_is_accounted_for
        check (status = 'refused' or received_rows = staged_rows + rejected_rows + duplicate_rows),
    constraint a_refusal_has_a_reason check (status not in ('refused', 'held') or reason_code is not null)
);
-- A refused file may be sent again once its cause is mended, and a replay stands in for the batch it withdraws.
create unique index batch_identity on audit.batch (feed_code, delivery, business_date, source_sha256)
    where status not in ('refused', 'superseded');
create index batch_by_date on audit.batch (business_date, feed_code);
create index batch_by_status on audit.batch (status) where status in ('loaded', 'held');
comment on column audit.batch.received_rows is 'Rows counted in the file; null when the file could not be read.';
comment on column audit.batch.notes is 'What was accepted with a remark: [{"code", "column", "rows"}].';
comment on column audit.batch.order_key is 'Orders versions of a record: business date, then batch; a replay inherits it.';

create table audit.attempt (
    attempt_id bigint generated always as identity primary key,
    feed_code text not null,
    delivery text not null,
    business_date date not null,
    source_name text,
    source_sha256 text,
    batch_id bigint references audit.batch,
    outcome text not null check (outcome in ('already_loaded', 'nothing_delivered')),
    attempted_at timestamptz not null default clock_timestamp()
);
comment on table audit.attempt is 'Loads that changed nothing: the file was already loaded, or none was there.';

create table restricted.rejected_row (
    batch_id bigint not null references audit.batch,
    row_number bigint not null,
    reason_code text not null,
    column_name text,
    raw jsonb not null,
    primary key (batch_id, row_number)
);
create view audit.rejected_row as
select batch_id, row_number, reason_code, column_name
from restricted.rejected_row;

-- Verdicts on batches: a gate's or a person's. The newest one explains audit.batch.status.
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

create table audit.batch_profile (
    batch_id bigint not null references audit.batch,
    metric text not null,
    value numeric,
    primary key (batch_id, metric)
);
comment on table audit.batch_profile is 'Measured once per batch in SQL; what the arrival gate judges.';

create table audit.quality_run (
    quality_run_id bigint generated always as identity primary key,
    gate text not null check (gate in ('arrival', 'release')),
    subject text not null,
    started_at timestamptz not null default clock_timestamp(),
    finished_at timestamptz,
    is_passed boolean
);
comment on column audit.quality_run.subject is 'What was judged: a list of business dates, or a period.';
create table audit.quality_result (
    quality_run_id bigint not null references audit.quality_run,
    rule_id text not null,
    subject text not null,
    severity text not null check (severity in ('critical', 'warning', 'info')),
    is_passed boolean not null,
    is_errored boolean not null default false,
    observed jsonb,
    expected jsonb,
    primary key (quality_run_id, rule_id, subject)
);
comment on column audit.quality_result.subject is 'The batch or period the rule judged.';

-- A build takes accepted batches that no successful build has taken and withdraws those replaced since.
create table audit.build (
    build_id bigint generated always as identity primary key,
    is_full_refresh boolean not null default false,
    config_version bigint not null references config.version,
    code_version text not null,
    status text not null check (status in ('running', 'succeeded', 'failed')),
    touched_cases bigint,
    message text,
    started_at timestamptz not null default clock_timestamp(),
    finished_at timestamptz
);
create table audit.build_batch (
    build_id bigint not null references audit.build,
    batch_id bigint not null references audit.batch,
    action text not null check (action in ('take', 'withdraw')),
    primary key (build_id, batch_id, action)
);
create index build_batch_batch on audit.build_batch (batch_id);
create table audit.build_node (
    build_id bigint not null references audit.build,
    node text not null,
    status text not null,
    seconds numeric,
    rows bigint,
    message text,
    primary key (build_id, node)
);

-- Events and callbacks whose case has not arrived. They wait here and attach when it does.
create table audit.orphan (
    kind text not null check (kind in ('event', 'callback')),
    case_id text not null,
    case_feed_code text not null,
    case_no text not null,
    batch_id bigint not null,
    row_number bigint not null,
    primary key (kind, batch_id, row_number)
);
create index orphan_case on audit.orphan (case_id);
