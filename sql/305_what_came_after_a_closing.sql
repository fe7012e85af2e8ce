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
    ),

    of_period as (
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
    )

    select count(distinct moved.batch_id), count(distinct of_period.root_case_id)
    from moved
    inner join mart.fct_case as cases on moved.case_id = cases.case_id
    inner join of_period on cases.root_case_id = of_period.root_case_id
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
