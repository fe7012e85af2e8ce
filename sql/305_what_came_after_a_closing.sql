-- The cases of which anything lies in the period of a closing: both what a revision moved and what came after it ask.
create function publish.cases_of_closing(of_closing bigint)
returns table (root_case_id text)
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    with closed as (
        select closing.*
        from publish.closing
        where closing.closing_id = of_closing
    )

    select duty.case_id as root_case_id
    from mart.fct_timeliness as duty
    inner join closed
        on
            duty.dispatched_at between closed.starts_at and closed.ends_at
            or duty.due_at between closed.starts_at and closed.ends_at
            or duty.due_in_force_at between closed.starts_at and closed.ends_at
            or duty.closed_at between closed.starts_at and closed.ends_at
            or duty.ended_at between closed.starts_at and closed.ends_at
    union
    select told.case_id
    from mart.fct_satisfaction as told
    inner join closed on told.called_at between closed.starts_at and closed.ends_at
    union
    select cases.root_case_id
    from mart.fct_case as cases
    inner join closed on cases.received_at between closed.starts_at and closed.ends_at
$$;
comment on function publish.cases_of_closing is '关账周期内有任何事项的工单';
revoke execute on function publish.cases_of_closing from public;

create or replace function publish.batches_of_revision(of_closing bigint)
returns table (
    batch_id bigint,
    feed_code text,
    delivery text,
    business_date date,
    staged_rows bigint,
    came boolean,
    cases bigint
)
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    with closed as (
        select closing.*, base.build_id as base_build
        from publish.closing
        inner join publish.release as base on closing.base_release_id = base.release_id
        where closing.closing_id = of_closing
    ),

    moved as (
        select told.* from closed cross join lateral publish.batches_moved(closed.base_build, closed.build_id) as told
    )

    select
        batch.batch_id,
        batch.feed_code,
        batch.delivery,
        batch.business_date,
        batch.staged_rows,
        bool_or(moved.came),
        case when count(moved.case_id) > 0 then count(distinct of_period.root_case_id) end
    from moved
    inner join audit.batch on moved.batch_id = batch.batch_id
    left join mart.fct_case as cases on moved.case_id = cases.case_id
    left join publish.cases_of_closing(of_closing) as of_period on cases.root_case_id = of_period.root_case_id
    group by batch.batch_id
$$;

-- What was built after a closing and tells of cases of its period: the closing and its release stay as they are, and
-- whoever closed is told. `batches` and `cases` are 0 where nothing did.
create function publish.moved_since_closing(of_closing bigint)
returns table (batches bigint, cases bigint)
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    with closed as (
        select closing.*
        from publish.closing
        where closing.closing_id = of_closing
    ),

    moved as (
        select told.*
        from closed
        cross join
            lateral publish.batches_moved(
                closed.build_id, (select max(build.build_id) from audit.build where build.status = 'succeeded')
            ) as told
    )

    select count(distinct moved.batch_id), count(distinct of_period.root_case_id)
    from moved
    inner join mart.fct_case as cases on moved.case_id = cases.case_id
    inner join publish.cases_of_closing(of_closing) as of_period on cases.root_case_id = of_period.root_case_id
$$;
alter table audit.incident drop constraint incident_kind_check;
alter table audit.incident add constraint incident_kind_check check (kind in (
    'missing', 'late', 'refused', 'held', 'arrived', 'build_failed', 'not_built', 'gate_failed', 'approval_waits',
    'closing_outdated', 'disk', 'clock_off', 'calendar_ends', 'airflow_silent', 'task_queued', 'run_failed',
    'backup_old'
));
comment on function publish.moved_since_closing is '关账之后构建的批次中，涉及该周期工单的批次数与工单数';
revoke execute on function publish.moved_since_closing from public;
grant execute on function publish.moved_since_closing to minhu_work, minhu_evaluator, minhu_auditor, minhu_engineer;
