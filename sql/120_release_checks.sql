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

-- What of a scored period does not fit together, thing by thing: the release gate asks that there be none of each kind.
-- audit.reconcile_release counts what can be told by a count; here stands what has a key.
create function audit.release_gap(of_scheme text, of_version text, of_period text)
returns table (gap text, key jsonb)
language sql stable as $$
    with run as (
        select
            scored.build_id,
            scored.config_version,
            scored.starts_at,
            scored.ends_at,
            cast(scored.starts_at as date) as first_on,
            cast(scored.ends_at - interval '1 microsecond' as date) as last_on
        from mart.score_run as scored
        where scored.scheme_id = of_scheme and scored.scheme_version = of_version and scored.period = of_period
    ),

    in_force as materialized (
        select
            taken.batch_id,
            taken.feed_code,
            taken.delivery,
            taken.business_date,
            batch.kind
        from run
        cross join lateral publish.batches_of(run.build_id) as taken
        inner join audit.batch on taken.batch_id = batch.batch_id
    ),

    -- staging → facts
    case_told as (
        select
            records.feed_code,
            records.case_no
        from staging.case_record as records
        where
            records.batch_id = any(array(
                select in_force.batch_id
                from in_force
                cross join run
                where in_force.kind = 'case' and in_force.business_date between run.first_on and run.last_on
            ))
        group by records.feed_code, records.case_no
        having not bool_or(records.is_deleted)
    ),

    case_lost as (
        select
            case_told.feed_code,
            case_told.case_no
        from case_told
        left join mart.fct_case as fact on case_told.feed_code = fact.feed_code and case_told.case_no = fact.case_no
        where fact.case_id is null
    ),

    -- facts → staging
    fact as (
        select
            'fct_case' as fact,
            fct.case_id as fact_id,
            fct.source_batch_id as batch_id
        from run
        inner join mart.fct_case as fct on fct.received_at >= run.starts_at and fct.received_at < run.ends_at
        union all
        select
            'fct_timeliness',
            fct.assignment_id,
            fct.dispatch_batch_id
        from run
        inner join mart.fct_timeliness as fct
            on fct.dispatched_at >= run.starts_at and fct.dispatched_at < run.ends_at
        union all
        select
            'fct_satisfaction',
            fct.callback_id,
            fct.source_batch_id
        from run
        inner join mart.fct_satisfaction as fct on fct.called_at >= run.starts_at and fct.called_at < run.ends_at
    ),

    fact_unfounded as (
        select
            fact.fact,
            fact.fact_id
        from fact
        left join in_force on fact.batch_id = in_force.batch_id
        where in_force.batch_id is null
    ),

    -- facts ↔ evidence ↔ points
    evidence as (
        select
            told.unit_code,
            told.indicator_code,
            told.subject_id,
            told.case_id,
            told.excluded_reason
        from mart.fct_evidence as told
        where told.scheme_id = of_scheme and told.scheme_version = of_version and told.period = of_period
    ),

    evidence_unfounded as (
        select
            evidence.unit_code,
            evidence.indicator_code,
            evidence.subject_id
        from evidence
        left join mart.fct_case as fct on evidence.case_id = fct.case_id
        where evidence.case_id is not null and fct.case_id is null
    ),

    indicator as (
        select
            fct.unit_code,
            fct.indicator_code,
            fct.denominator,
            fct.is_external_denominator,
            fct.points,
            fct.points_max
        from mart.fct_unit_indicator as fct
        where fct.scheme_id = of_scheme and fct.scheme_version = of_version and fct.period = of_period
    ),

    told_by_rows as (
        select listed.data ->> 'code' as indicator_code
        from run
        inner join config.entry
            on
                entry.kind = 'scheme'
                and entry.key = of_scheme
                and entry.since_version <= run.config_version
                and (entry.until_version is null or entry.until_version > run.config_version)
        cross join lateral jsonb_array_elements(entry.data -> 'indicators') as listed (data)
        where cast(listed.data ->> 'is_told_by_rows' as boolean)
    ),

    explained as (
        select distinct
            evidence.unit_code,
            evidence.indicator_code
        from evidence
        where evidence.excluded_reason is null
    ),

    points_unexplained as (
        select
            indicator.unit_code,
            indicator.indicator_code
        from indicator
        inner join told_by_rows on indicator.indicator_code = told_by_rows.indicator_code
        left join explained
            on
                indicator.unit_code = explained.unit_code
                and indicator.indicator_code = explained.indicator_code
        where
            indicator.points < indicator.points_max
            and indicator.denominator > 0
            and explained.unit_code is null
    ),

    -- the revision that stands published, if there is one
    published as (
        select
            told.unit_code,
            told.indicator_code,
            told.denominator
        from publish.unit_indicator as told
        where told.release_id = (
            select max(release.release_id) from publish.release
            where release.scheme_id = of_scheme and release.period = of_period
        )
    ),

    denominator_moved as (
        select
            coalesce(indicator.unit_code, published.unit_code) as unit_code,
            coalesce(indicator.indicator_code, published.indicator_code) as indicator_code
        from published
        left join indicator
            on
                published.unit_code = indicator.unit_code
                and published.indicator_code = indicator.indicator_code
        where
            abs(coalesce(indicator.denominator, 0) - coalesce(published.denominator, 0))
            > greatest(5, 0.1 * coalesce(published.denominator, 0))
    ),

    -- who should have delivered: the feeds that are declared, and of each delivery the weekdays on which it has delivered
    -- twice at least in the four weeks before
    delivered as (
        select distinct
            batch.feed_code,
            batch.delivery,
            batch.business_date
        from audit.batch
        cross join run
        where
            batch.status in ('loaded', 'accepted', 'held')
            and batch.business_date between run.first_on - 28 and run.last_on
    ),

    waived as (
        select distinct
            waiver.feed_code,
            cast(day.starts_at as date) as day_on
        from run
        cross join audit.waived_absence as waiver
        cross join lateral generate_series(
            cast(greatest(waiver.first_on, run.first_on) as timestamp),
            cast(least(waiver.last_on, run.last_on) as timestamp),
            interval '1 day'
        ) as day (starts_at)
    ),

    feed_absent as (
        select entry.key as feed_code
        from run
        inner join config.entry
            on
                entry.kind = 'feed'
                and entry.since_version <= run.config_version
                and (entry.until_version is null or entry.until_version > run.config_version)
        left join delivered on entry.key = delivered.feed_code and delivered.business_date >= run.first_on
        left join waived on entry.key = waived.feed_code
        group by entry.key
        having count(delivered.feed_code) = 0 and count(waived.feed_code) = 0
    ),

    expected as (
        select
            before.feed_code,
            before.delivery,
            cast(day.starts_at as date) as day_on
        from run
        cross join lateral generate_series(
            cast(run.first_on as timestamp), cast(run.last_on as timestamp), interval '1 day'
        ) as day (starts_at)
        inner join delivered as before
            on
                before.business_date < cast(day.starts_at as date)
                and before.business_date >= cast(day.starts_at as date) - 28
                and extract(isodow from before.business_date) = extract(isodow from day.starts_at)
        group by before.feed_code, before.delivery, cast(day.starts_at as date)
        having count(*) >= 2
    ),

    day_absent as (
        select
            expected.feed_code,
            expected.delivery,
            expected.day_on
        from expected
        left join delivered
            on
                expected.feed_code = delivered.feed_code
                and expected.delivery = delivered.delivery
                and expected.day_on = delivered.business_date
        left join waived on expected.feed_code = waived.feed_code and expected.day_on = waived.day_on
        where delivered.feed_code is null and waived.feed_code is null
    ),

    -- what a release must be able to prove itself by
    fingerprint as (
        select
            part.name,
            part.is_there
        from run
        left join audit.build on run.build_id = build.build_id
        left join config.version on run.config_version = version.config_version
        cross join lateral (
            values
            ('build', build.status = 'succeeded'),
            ('code_version', btrim(coalesce(build.code_version, '')) <> ''),
            ('config_version', version.sha256 is not null),
            ('config_of_build', build.config_version = run.config_version)
        ) as part (name, is_there)
        union all
        select
            'batch_sha256',
            batch.source_sha256 ~ '^\S+$'
        from in_force
        inner join audit.batch on in_force.batch_id = batch.batch_id
    )

    select
        'case_lost',
        jsonb_build_object('feed_code', feed_code, 'case_no', case_no)
    from case_lost
    union all
    select
        'fact_unfounded',
        jsonb_build_object('fact', fact, 'id', fact_id)
    from fact_unfounded
    union all
    select
        'evidence_unfounded',
        jsonb_build_object('unit_code', unit_code, 'indicator_code', indicator_code, 'subject_id', subject_id)
    from evidence_unfounded
    union all
    select
        'points_unexplained',
        jsonb_build_object('unit_code', unit_code, 'indicator_code', indicator_code)
    from points_unexplained
    union all
    select
        'denominator_moved',
        jsonb_build_object('unit_code', unit_code, 'indicator_code', indicator_code)
    from denominator_moved
    union all
    select
        'feed_absent',
        jsonb_build_object('feed_code', feed_code)
    from feed_absent
    union all
    select
        'day_absent',
        jsonb_build_object('feed_code', feed_code, 'delivery', delivery, 'business_date', day_on)
    from day_absent
    union all
    select
        'fingerprint_incomplete',
        jsonb_build_object('part', name)
    from fingerprint
    where is_there is not true
$$;
comment on function audit.release_gap is '发布核对：一个周期中对不上的每一项及其键；应当没有';
