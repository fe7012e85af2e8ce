-- What of a scored period does not fit together, thing by thing: the release gate asks that there be none of each kind.
-- audit.reconcile_release counts what can be told by a count; here stands what has a key.

-- Absences that people have waived: a delivery's feed need not be there on these days. Whoever keeps waivers replaces it.
create view audit.waived_absence as
select
    cast(null as text) as feed_code,
    cast(null as date) as first_on,
    cast(null as date) as last_on
where false;
comment on view audit.waived_absence is '已豁免的缺报：热线与起止日期';

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
