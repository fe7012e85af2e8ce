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
