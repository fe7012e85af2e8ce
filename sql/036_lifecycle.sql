-- What the life-cycle of a case should not hold, and what was told of an event beside the version that counts. Both are
-- facts of a build: it replaces the rows of the cases it touches.
create table audit.lifecycle_anomaly (
    anomaly_code text not null,
    event_id text not null,
    case_id text not null,
    assignment_id text,
    event_type text not null,
    occurred_at timestamptz not null,
    unit_code text,
    unit_name_raw text,
    effect_on_clock text not null,
    batch_id bigint not null,
    row_number bigint not null,
    primary key (anomaly_code, event_id)
);
create index lifecycle_anomaly_case on audit.lifecycle_anomaly (case_id);
comment on table audit.lifecycle_anomaly is
'One row per event that the life-cycle does not allow where it stands. It breaks no build; docs/lifecycle.md explains '
'each code.';
comment on column audit.lifecycle_anomaly.case_id is 'The first case of the chain of transfers, as in fct_timeliness.';
comment on column audit.lifecycle_anomaly.assignment_id is 'The assignment it speaks of; null where there is none.';
comment on column audit.lifecycle_anomaly.effect_on_clock is 'What was made of the event.';
comment on column audit.lifecycle_anomaly.batch_id is 'Batch of the row that told the event.';
comment on column audit.lifecycle_anomaly.row_number is 'Row of the file the batch came from.';

create table audit.event_version (
    event_id text not null,
    case_id text not null,
    event_type text not null,
    occurred_at timestamptz not null,
    unit_name text,
    due_at timestamptz,
    result_code text,
    source text not null,
    lost_reason text not null check (lost_reason in ('corrected', 'retracted', 'source_of_record')),
    batch_id bigint not null,
    row_number bigint not null,
    standing_event_id text not null,
    standing_occurred_at timestamptz not null,
    standing_batch_id bigint not null,
    standing_row_number bigint not null,
    primary key (event_id, batch_id, row_number)
);
create index event_version_case on audit.event_version (case_id);
comment on table audit.event_version is 'What was told of an event and does not count, with the row that counts instead.';
comment on column audit.event_version.source is 'The feed that told it; `record`: a milestone on the case''s own row.';
comment on column audit.event_version.lost_reason is
'corrected: its sender told it anew; retracted: the sender took it back; source_of_record: a better source tells it.';
