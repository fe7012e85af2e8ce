-- The rows behind a score stay as they were counted: a partition for each run, which the models make and hand over.
-- A view over the measures would count them anew each time it is asked, and from facts that have moved on.
create sequence mart.score_run_no;
alter table mart.score_run add column run_no bigint unique;

create table mart.counted_row (
    run_no bigint not null,
    scheme_id text not null,
    period text not null,
    unit_code text,
    indicator_code text,
    subject_kind text,
    subject_id text,
    case_id text,
    assignment_id text,
    callback_id text,
    numerator_value numeric,
    denominator_value numeric,
    excluded_reason text,
    due_at timestamptz,
    occurred_at timestamptz,
    counted_on date
) partition by list (run_no);
create index counted_row_case on mart.counted_row (case_id);
create index counted_row_unit on mart.counted_row (unit_code, indicator_code);
alter table mart.counted_row owner to minhu_work;  -- as all that builds make
grant usage, select on sequence mart.score_run_no to minhu_work;

-- As the models made it once, it is replaced under its readers; of another shape it has to go.
do $$
begin
    if exists (
        select from pg_attribute
        where attrelid = to_regclass('mart.fct_indicator_case') and attnum > 0 and not attisdropped
        having
            array_agg(attname::text order by attnum) is distinct from string_to_array(
                'scheme_id,scheme_version,period,unit_code,indicator_code,subject_kind,subject_id,case_id,assignment_id,'
                'callback_id,numerator_value,denominator_value,excluded_reason,due_at,occurred_at', ','
            ) and count(*) > 0
    ) then
        drop view mart.fct_indicator_case;
    end if;
end
$$;
create or replace view mart.fct_indicator_case as
select
    counted.scheme_id,
    run.scheme_version,
    counted.period,
    counted.unit_code,
    counted.indicator_code,
    counted.subject_kind,
    counted.subject_id,
    counted.case_id,
    counted.assignment_id,
    counted.callback_id,
    counted.numerator_value,
    counted.denominator_value,
    counted.excluded_reason,
    counted.due_at,
    counted.occurred_at,
    counted.counted_on
from mart.counted_row as counted
inner join mart.score_run as run on counted.run_no = run.run_no;
do $$
begin
    execute format('alter view mart.fct_indicator_case owner to %I', current_user);
end
$$;
comment on view mart.fct_indicator_case is
'指标明细 — For every unit and indicator of every score the rows that sum to its numerator and denominator.';

-- What a closing froze was counted by a run; its rows stay while the closing may be published, and for ever once it is.
create table publish.closing_run (
    closing_id bigint primary key references publish.closing deferrable initially deferred,
    run_no bigint not null
);
comment on table publish.closing_run is '关账所依据的计分：其明细随之保留';
grant select on publish.closing_run to minhu_evaluator, minhu_auditor;

create function publish.hold_run() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    insert into publish.closing_run (closing_id, run_no)
    select
        new.closing_id,
        run.run_no
    from mart.score_run as run
    where
        run.scheme_id = new.scheme_id
        and run.scheme_version = new.scheme_version
        and run.period = new.period
        and run.run_no is not null;
    return null;
end
$$;
create trigger hold_run after insert on publish.closing for each row execute function publish.hold_run();

create view publish.indicator_case as
select
    release.release_id,
    release.revision,
    counted.scheme_id,
    release.scheme_version,
    counted.period,
    counted.unit_code,
    counted.indicator_code,
    counted.subject_kind,
    counted.subject_id,
    counted.case_id,
    counted.assignment_id,
    counted.callback_id,
    counted.numerator_value,
    counted.denominator_value,
    counted.excluded_reason,
    counted.due_at,
    counted.occurred_at,
    counted.counted_on
from publish.release
inner join publish.closing_run on release.closing_id = closing_run.closing_id
inner join mart.counted_row as counted on closing_run.run_no = counted.run_no;
comment on view publish.indicator_case is
'发布指标明细 — Of every release the rows that its numbers were counted from; none of one from before they were kept.';
grant select on publish.indicator_case to minhu_bi, minhu_evaluator, minhu_auditor;

-- The runs whose rows somebody may still ask for: those that stand in mart, those of releases, and the newest closing.
create view mart.run_kept as
select run.run_no from mart.score_run as run
where run.run_no is not null
union
select held.run_no
from publish.closing_run as held
inner join publish.closing on held.closing_id = closing.closing_id
left join publish.release on closing.closing_id = release.closing_id
left join publish.closing as later
    on
        closing.scheme_id = later.scheme_id
        and closing.period = later.period
        and closing.closing_id < later.closing_id
where release.closing_id is not null or later.closing_id is null;
comment on view mart.run_kept is '保留明细的计分 — The runs whose rows are kept.';
