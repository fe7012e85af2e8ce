-- What decisions do to the facts. A build takes the decisions that no successful build has taken, as it takes batches: one
-- that commits late, or whose build failed, is simply there for the next.
create table audit.build_decision (
    build_id bigint not null references audit.build,
    kind text not null check (kind in ('appeal_decision', 'exclusion', 'violation')),
    decision_id bigint not null,
    primary key (build_id, kind, decision_id)
);
create index build_decision_decision on audit.build_decision (kind, decision_id);
comment on column audit.build_decision.decision_id is 'Key of the row in schema assess that kind names.';

create table mart.fct_exclusion (
    exclusion_id text primary key,
    case_id text not null,
    assignment_id text,
    indicator_codes text[],
    reason_code text not null,
    source text not null check (source in ('hotline', 'decision', 'appeal')),
    from_revision integer,
    decided_at timestamptz not null,
    decided_by text
);
create index fct_exclusion_case on mart.fct_exclusion (case_id);

alter table mart.fct_timeliness
    add column is_excluded boolean not null default false,
    add column exclusion_reason text;

-- A violation that a person entered has no row of a file, and may be found on the unit and not on a case.
alter table mart.fct_violation
    alter column case_id drop not null,
    alter column source_batch_id drop not null,
    alter column source_row_number drop not null,
    add column entered_by text;
