-- A build takes accepted batches that no successful build has taken and withdraws those replaced since. One that failed
-- is continued by the next while nothing that it rests on has changed.
create table audit.build (
    build_id bigint generated always as identity primary key,
    is_full_refresh boolean not null default false,
    config_version bigint not null references config.version,
    code_version text not null,
    status text not null check (status in ('running', 'succeeded', 'failed')),
    touched_cases bigint,
    message text,
    started_at timestamptz not null default clock_timestamp(),
    finished_at timestamptz,
    fingerprint text,
    continues_build_id bigint references audit.build
);
comment on column audit.build.fingerprint is
'Hash of all that the build rests on: code, configuration, batches, touched cases, links of callers.';
comment on column audit.build.continues_build_id is
'The failed build whose models and tests that had passed were taken over.';
grant select on audit.build to minhu_evaluator;

create table audit.build_batch (
    build_id bigint not null references audit.build,
    batch_id bigint not null references audit.batch,
    action text not null check (action in ('take', 'withdraw')),
    primary key (build_id, batch_id, action)
);
create index build_batch_batch on audit.build_batch (batch_id);

-- What decisions do to the facts. A build takes the decisions that no successful build has taken, as it takes batches:
-- one that commits late, or whose build failed, is simply there for the next.
create table audit.build_decision (
    build_id bigint not null references audit.build,
    kind text not null check (kind in ('appeal_decision', 'exclusion', 'violation')),
    decision_id bigint not null,
    primary key (build_id, kind, decision_id)
);
create index build_decision_decision on audit.build_decision (kind, decision_id);
comment on column audit.build_decision.decision_id is 'Key of the row in schema assess that kind names.';

create table audit.build_node (
    build_id bigint not null references audit.build,
    node text not null,
    status text not null,
    seconds numeric,
    rows bigint,
    message text,
    ran_in_build_id bigint references audit.build,
    primary key (build_id, node)
);
comment on column audit.build_node.ran_in_build_id is 'The earlier build that ran it; null where this one did.';

-- What the next build has to take: accepted batches that no successful build has taken, and those it must withdraw. The
-- build chooses by it, and a period is not closed while it has rows. audit.decision_to_build is the same of decisions.
create view audit.batch_to_build as
with done as (
    select
        build_batch.batch_id,
        build_batch.action
    from audit.build_batch
    inner join audit.build on build_batch.build_id = build.build_id
    where build.status = 'succeeded'
)

select
    batch.batch_id,
    case when batch.status = 'accepted' then 'take' else 'withdraw' end as action
from audit.batch
where
    (
        batch.status = 'accepted'
        and not exists (
            select from done
            where done.batch_id = batch.batch_id and done.action = 'take'
        )
    )
    or (
        batch.status = 'superseded'
        and exists (
            select from done
            where done.batch_id = batch.batch_id and done.action = 'take'
        )
        and not exists (
            select from done
            where done.batch_id = batch.batch_id and done.action = 'withdraw'
        )
    );
comment on view audit.batch_to_build is 'Batches that the next build takes or withdraws.';

-- What a build works on. Unlogged: a crash empties it, and the next build works it out again.
create unlogged table build.touched_case (
    case_id text primary key,
    feed_code text not null,
    case_no text not null,
    is_rebuilt boolean not null
);
comment on table build.touched_case is
'Cases whose facts are built anew, and those only read beside them (the same caller''s earlier cases).';
-- A case's two columns are one key. Without this the planner takes nine lookups in ten of a join by both for repeated
-- ones, and fetches a month of staging row by row through the index instead of reading it once.
create statistics build.touched_case_key (ndistinct) on feed_code, case_no from build.touched_case;

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
grant select on audit.lifecycle_anomaly to minhu_evaluator;

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
comment on table audit.event_version is
'What was told of an event and does not count, with the row that counts instead.';
comment on column audit.event_version.source is 'The feed that told it; `record`: a milestone on the case''s own row.';
comment on column audit.event_version.lost_reason is
'corrected: its sender told it anew; retracted: the sender took it back; source_of_record: a better source tells it.';
grant select on audit.event_version to minhu_evaluator;
