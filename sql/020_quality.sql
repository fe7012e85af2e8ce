-- What the release gate compares: one row of counts for one scheme version and period. Every count but the first two
-- should be zero. A function, because the view mart.fct_indicator_case belongs to the dbt project and may not be there.
create function audit.reconcile_release(of_scheme text, of_version text, of_period text)
returns table (
    score_runs bigint,
    scored_units bigint,
    units_without_indicators bigint,
    indicators_without_score bigint,
    points_sum_gaps bigint,
    case_sum_gaps bigint,
    unjudged_batches bigint,
    unbuilt_batches bigint,
    held_batches bigint,
    unofficial_days bigint,
    unresolved_assignments bigint,
    days_not_over bigint
)
language plpgsql stable
as $$
declare
    first_on date;
    last_on date;
    period_ends_at timestamptz;
    judged_as_of timestamptz;
begin
    select
        cast(run.starts_at as date),
        cast(run.ends_at - interval '1 microsecond' as date),
        run.ends_at,
        run.as_of
    into first_on, last_on, period_ends_at, judged_as_of
    from mart.score_run as run
    where run.scheme_id = of_scheme and run.scheme_version = of_version and run.period = of_period;
    score_runs := case when first_on is null then 0 else 1 end;

    with indicator as (
        select
            fct.unit_code,
            sum(fct.points) as points
        from mart.fct_unit_indicator as fct
        where fct.scheme_id = of_scheme and fct.scheme_version = of_version and fct.period = of_period
        group by fct.unit_code
    ),

    score as (
        select
            fct.unit_code,
            fct.raw_points
        from mart.fct_unit_score as fct
        where fct.scheme_id = of_scheme and fct.scheme_version = of_version and fct.period = of_period
    )

    select
        count(score.unit_code),
        count(*) filter (where indicator.unit_code is null),
        count(*) filter (where score.unit_code is null),
        count(*) filter (where coalesce(score.raw_points, 0) <> coalesce(indicator.points, 0))
    into scored_units, units_without_indicators, indicators_without_score, points_sum_gaps
    from score
    full join indicator on score.unit_code = indicator.unit_code;

    case_sum_gaps := 0;
    if to_regclass('mart.fct_indicator_case') is not null then
        -- A sum of both sides, one of them negative: a join would need statistics of a table just written.
        select count(*)
        into case_sum_gaps
        from (
            select 1
            from (
                select
                    fct.unit_code,
                    fct.indicator_code,
                    coalesce(fct.numerator, 0) as numerator,
                    case when not fct.is_external_denominator then fct.denominator end as denominator,
                    true as is_indicator
                from mart.fct_unit_indicator as fct
                where fct.scheme_id = of_scheme and fct.scheme_version = of_version and fct.period = of_period
                union all
                select
                    cases.unit_code,
                    cases.indicator_code,
                    -coalesce(cases.numerator_value, 0),
                    -coalesce(cases.denominator_value, 0),
                    false
                from mart.fct_indicator_case as cases
                where
                    cases.scheme_id = of_scheme
                    and cases.scheme_version = of_version
                    and cases.period = of_period
                    and cases.excluded_reason is null
            ) as side
            group by side.unit_code, side.indicator_code
            having
                bool_or(side.is_indicator)
                and (
                    sum(side.numerator) <> 0
                    or (sum(side.denominator) <> 0 and count(side.denominator) filter (where side.is_indicator) = 1)
                )
        ) as gap;
    end if;

    -- Built: taken by a successful build and not withdrawn by a later one.
    with period_batch as (
        select
            batch.batch_id,
            batch.status,
            coalesce(
                max(build.build_id) filter (where build_batch.action = 'take')
                > coalesce(max(build.build_id) filter (where build_batch.action = 'withdraw'), 0),
                false
            ) as is_built
        from audit.batch
        left join audit.build_batch on batch.batch_id = build_batch.batch_id
        left join audit.build on build_batch.build_id = build.build_id and build.status = 'succeeded'
        where batch.business_date between first_on and last_on
        group by batch.batch_id
    )

    select
        count(*) filter (where status = 'loaded'),
        count(*) filter (where (status = 'accepted' and not is_built) or (status = 'superseded' and is_built)),
        count(*) filter (where status = 'held')
    into unjudged_batches, unbuilt_batches, held_batches
    from period_batch;

    select count(*)
    into unofficial_days
    from generate_series(first_on, last_on, interval '1 day') as day (starts_at)
    left join mart.dim_date on cast(day.starts_at as date) = dim_date.date_on
    where dim_date.calendar_status is distinct from 'official';

    select count(*)
    into unresolved_assignments
    from mart.fct_timeliness
    where
        unit_code is null
        and dispatched_at >= first_on
        and dispatched_at < last_on + 1
        and voided_at is null;

    days_not_over := greatest(cast(ceil(extract(epoch from period_ends_at - judged_as_of) / 86400) as bigint), 0);
    return next;
end
$$;
comment on function audit.reconcile_release is '发布对账：一个考核办法版本、一个周期的核对计数；除前两项外均应为零';
