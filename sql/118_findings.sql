-- What the gates found and nothing has made good: one row for each rule and feed, or rule, scheme and period. A warning
-- of a delivery is made good by its next batch that the rule lets pass; a held batch by nothing but its own release or
-- replay; a finding on a period by the next run of the release gate. What only informs is no finding.
create view audit.open_finding as
with failed as (
    select
        result.rule_id,
        result.severity,
        run.started_at,
        batch.batch_id,
        batch.feed_code,
        batch.delivery,
        batch.business_date,
        batch.status
    from audit.quality_result as result
    inner join audit.quality_run as run on result.quality_run_id = run.quality_run_id
    inner join audit.batch
        on batch.batch_id = case when result.subject ~ '^[0-9]+$' then result.subject::bigint end
    where run.gate = 'arrival' and not result.is_passed and result.severity <> 'info'
),

failing as (
    select distinct
        rule_id,
        feed_code,
        delivery
    from failed
),

-- The newest batch of each delivery that the rule let pass.
made_good as (
    select
        failing.rule_id,
        failing.feed_code,
        failing.delivery,
        max(batch.batch_id) as batch_id
    from failing
    inner join audit.batch on failing.feed_code = batch.feed_code and failing.delivery = batch.delivery
    inner join audit.batch_verdict as verdict
        on batch.batch_id = verdict.batch_id and verdict.quality_run_id is not null
    left join failed on failing.rule_id = failed.rule_id and batch.batch_id = failed.batch_id
    where failed.batch_id is null
    group by failing.rule_id, failing.feed_code, failing.delivery
),

of_feeds as (
    select
        failed.rule_id,
        failed.feed_code,
        max(failed.batch_id)::text as subject,
        (array_agg(failed.severity order by failed.batch_id desc))[1] as severity,
        min(failed.started_at) as first_failed_at,
        max(failed.started_at) as last_failed_at,
        min(failed.business_date) as first_on,
        max(failed.business_date) as last_on,
        count(distinct failed.batch_id) as failures
    from failed
    left join made_good
        on
            failed.rule_id = made_good.rule_id
            and failed.feed_code = made_good.feed_code
            and failed.delivery = made_good.delivery
    where
        case
            when failed.severity = 'critical' then failed.status = 'held'
            else failed.batch_id > coalesce(made_good.batch_id, 0) and failed.status <> 'superseded'
        end
    group by failed.rule_id, failed.feed_code
),

release_result as (
    select
        result.rule_id,
        split_part(run.subject, ' ', 1) as scheme_id,
        split_part(run.subject, ' ', 3) as period,
        run.quality_run_id,
        run.started_at,
        (array_agg(result.severity order by result.subject))[1] as severity,
        bool_and(result.is_passed) as is_passed
    from audit.quality_result as result
    inner join audit.quality_run as run on result.quality_run_id = run.quality_run_id
    where run.gate = 'release' and result.severity <> 'info'
    group by result.rule_id, run.quality_run_id
),

-- The newest run of each period that the rule let pass; a rule that is not asked any more finds nothing.
last_run as (
    select
        split_part(run.subject, ' ', 1) as scheme_id,
        split_part(run.subject, ' ', 3) as period,
        max(run.quality_run_id) as quality_run_id
    from audit.quality_run as run
    where run.gate = 'release' and run.finished_at is not null
    group by split_part(run.subject, ' ', 1), split_part(run.subject, ' ', 3)
),

release_failed as (
    select
        release_result.*,
        max(release_result.quality_run_id) filter (where release_result.is_passed) over of_rule as passed_run_id,
        max(release_result.quality_run_id) over of_rule as newest_run_id
    from release_result
    window of_rule as (partition by release_result.rule_id, release_result.scheme_id, release_result.period)
),

of_periods as (
    select
        release_failed.rule_id,
        release_failed.scheme_id,
        release_failed.period,
        (array_agg(release_failed.severity order by release_failed.quality_run_id desc))[1] as severity,
        min(release_failed.started_at) as first_failed_at,
        max(release_failed.started_at) as last_failed_at,
        count(*) as failures
    from release_failed
    inner join last_run
        on
            release_failed.scheme_id = last_run.scheme_id
            and release_failed.period = last_run.period
            and release_failed.newest_run_id = last_run.quality_run_id
    where release_failed.quality_run_id > coalesce(release_failed.passed_run_id, 0)
    group by release_failed.rule_id, release_failed.scheme_id, release_failed.period
),

-- A period's days, as it was scored.
period_days as (
    select
        run.scheme_id,
        run.period,
        min(run.starts_at at time zone 'Asia/Shanghai')::date as first_on,
        (max(run.ends_at at time zone 'Asia/Shanghai') - interval '1 microsecond')::date as last_on
    from mart.score_run as run
    group by run.scheme_id, run.period
),

findings as (
    select
        of_feeds.rule_id,
        of_feeds.severity,
        of_feeds.feed_code,
        null::text as scheme_id,
        null::text as period,
        of_feeds.subject,
        of_feeds.first_failed_at,
        of_feeds.last_failed_at,
        of_feeds.failures,
        of_feeds.first_on,
        of_feeds.last_on
    from of_feeds
    union all
    select
        of_periods.rule_id,
        of_periods.severity,
        null,  -- noqa: AL03
        of_periods.scheme_id,
        of_periods.period,
        concat_ws(' ', of_periods.scheme_id, of_periods.period),  -- noqa: AL03
        of_periods.first_failed_at,
        of_periods.last_failed_at,
        of_periods.failures,
        period_days.first_on,
        period_days.last_on
    from of_periods
    left join period_days on of_periods.scheme_id = period_days.scheme_id and of_periods.period = period_days.period
),

-- The terms that hold on the day of the first failure.
terms as (
    select
        (data ->> 'valid_from')::date as valid_from,
        lead((data ->> 'valid_from')::date) over (order by (data ->> 'valid_from')::date) as valid_to,
        (data ->> 'escalate_after_days')::integer as escalate_after_days
    from config.entry
    where kind = 'quality' and until_version is null
),

waived as (
    select
        rule_id,
        feed_code,
        scheme_id,
        period,
        max(waiver_id) as waiver_id,
        max(expires_on) as expires_on
    from assess.waiver_in_force
    group by rule_id, feed_code, scheme_id, period
),

aged as (
    select
        findings.*,
        (clock_timestamp() at time zone 'Asia/Shanghai')::date
        - (findings.first_failed_at at time zone 'Asia/Shanghai')::date as age_days,
        waived.waiver_id,
        waived.expires_on as waived_until,
        terms.escalate_after_days
    from findings
    left join waived
        on
            findings.rule_id = waived.rule_id
            and (
                findings.feed_code = waived.feed_code
                or (findings.scheme_id = waived.scheme_id and findings.period = waived.period)
            )
    left join terms
        on
            (findings.first_failed_at at time zone 'Asia/Shanghai')::date >= terms.valid_from
            and (
                terms.valid_to is null
                or (findings.first_failed_at at time zone 'Asia/Shanghai')::date < terms.valid_to
            )
)

select
    rule_id,
    severity,
    feed_code,
    scheme_id,
    period,
    subject,
    first_failed_at,
    last_failed_at,
    failures,
    first_on,
    last_on,
    age_days,
    waiver_id,
    waived_until,
    coalesce(severity = 'warning' and waiver_id is null and age_days >= escalate_after_days, false) as is_escalated
from aged;
comment on view audit.open_finding is '待处置的质量问题：未通过、其后未见好转的规则，按热线或周期';
comment on column audit.open_finding.subject is 'The newest batch that failed, or scheme and period.';
comment on column audit.open_finding.first_on is 'First day whose data it is about.';
comment on column audit.open_finding.is_escalated is 'A warning that nobody waived in time: it stops a release.';
-- Who may waive sees what there is to waive.
grant select on audit.open_finding to minhu_evaluator;

-- Feeds whose absence is waived by name, for as long as the waiver holds: the rules on absent feeds leave them out.
create view audit.waived_absence as
select
    waiver.feed_code,
    '-infinity'::date as first_on,
    waiver.expires_on as last_on
from assess.waiver_in_force as waiver
where waiver.feed_code is not null and waiver.rule_id like 'release.%';
comment on view audit.waived_absence is '已豁免的缺报：热线与起止日期';

-- Warnings about the days of a scored period that nobody waived in time, as the release gate lists what does not fit.
create function audit.escalated_gap(of_scheme text, of_version text, of_period text)
returns table (gap text, key jsonb)
language sql stable set search_path = pg_catalog, pg_temp as $$
    select
        'finding_escalated',
        jsonb_strip_nulls(
            jsonb_build_object('rule_id', finding.rule_id, 'feed_code', finding.feed_code, 'of', finding.subject)
        )
    from mart.score_run as run
    inner join audit.open_finding as finding
        on
            finding.first_on <= cast(run.ends_at - interval '1 microsecond' as date)
            and finding.last_on >= cast(run.starts_at as date)
    where
        run.scheme_id = of_scheme
        and run.scheme_version = of_version
        and run.period = of_period
        and finding.is_escalated
$$;
comment on function audit.escalated_gap is '周期内已升级（逾期未处置）的提示性问题，逐条列出';
