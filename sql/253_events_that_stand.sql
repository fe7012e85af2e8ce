-- The events that stand, milestones included: staging alone shows those that were delivered by themselves. A build
-- writes them with the other facts; a unit reads those of its cases that name nobody, or it.
create table mart.fct_event (
    event_id text primary key,
    case_id text not null,
    root_case_id text not null,
    assignment_id text,
    event_type text not null,
    occurred_at timestamptz not null,
    occurred_precision text,
    unit_code text,
    unit_key text,
    unit_name_raw text,
    unit_role text,
    due_at timestamptz,
    limit_kind text,
    result_code text,
    reason_code text,
    source text not null,
    is_milestone boolean not null,
    source_batch_id bigint not null,
    source_row_number bigint not null
);
create index fct_event_case on mart.fct_event (case_id);
create index fct_event_root on mart.fct_event (root_case_id) where root_case_id <> case_id;
create index fct_event_occurred on mart.fct_event using brin (occurred_at);

alter table mart.fct_event enable row level security;
create policy all_rows on mart.fct_event for select to minhu_bi, minhu_evaluator, minhu_auditor using (true);
create policy own_rows on mart.fct_event for select to minhu_unit
using (
    case_id in (select cases.case_id from mart.fct_case as cases)
    and (unit_name_raw is null or unit_code = any((select assess.own_unit_codes())::text[]))
);
select audit.let_the_house_in('mart.fct_event'::regclass);
grant select on mart.fct_event to minhu_unit;
