"""The queries of the monthly audit report. Parameters: first and last day, period, since (first day of the trends)."""

OF_MONTH = "batch.business_date between %(first)s and %(last)s"

CITY = """
select data ->> 'name' as city from config.entry where kind = 'city' order by since_version desc limit 1
"""

AS_OF = """
select greatest(
    (select max(loaded_at) from audit.batch),
    (select max(attempted_at) from audit.attempt),
    (select max(decided_at) from audit.batch_verdict),
    (select max(finished_at) from audit.quality_run),
    (select max(finished_at) from audit.build),
    (select max(scored_at) from mart.score_run),
    (select max(published_at) from publish.release),
    (select max(waived_at) from assess.waiver)
) as as_of
"""

MONTHS = """
select cast(listed.month_on as date) as month_on
from generate_series(cast(%(since)s as timestamp), cast(%(first)s as timestamp), interval '1 month')
    as listed (month_on)
where
    cast(listed.month_on as date) >= (select date_trunc('month', min(batch.business_date)) from audit.batch)
    or cast(listed.month_on as date) = %(first)s
order by 1
"""

TOTALS = f"""
select
    count(distinct batch.feed_code) filter (where batch.status <> 'refused') as feeds,
    count(*) filter (where batch.status <> 'refused') as batches,
    count(*) filter (where batch.status = 'refused') as refused,
    count(*) filter (where batch.status = 'held') as held,
    count(*) filter (where batch.status = 'superseded') as superseded,
    coalesce(sum(batch.received_rows) filter (where batch.status not in ('refused', 'superseded')), 0) as received,
    min(batch.business_date) as first_on,
    max(batch.business_date) as last_on,
    (select count(distinct entry.key) from config.entry where entry.kind = 'feed' and entry.until_version is null)
        as declared_feeds
from audit.batch
where {OF_MONTH}
"""

# Which runs belong to the month: arrival by the batches they decided on, release by the period they name.
RUNS = f"""
runs as (
    select distinct verdict.quality_run_id
    from audit.batch_verdict as verdict
    inner join audit.batch on verdict.batch_id = batch.batch_id
    where verdict.quality_run_id is not null and {OF_MONTH}
    union
    select run.quality_run_id
    from audit.quality_run as run
    where run.gate = 'release' and split_part(run.subject, ' ', 3) = %(period)s
),

-- One row for each rule, run and what it judged: a batch of the month, or the whole run.
results as (
    select
        result.*,
        coalesce(result.batch_id, case when result.subject ~ '^[0-9]{{1,18}}$' then result.subject::bigint end)
            as judged_batch_id
    from audit.quality_result as result
    inner join runs on result.quality_run_id = runs.quality_run_id
),

failures as (
    select results.*, batch.feed_code as of_feed
    from results
    left join audit.batch on results.judged_batch_id = batch.batch_id
    where not results.is_passed and (results.judged_batch_id is null or {OF_MONTH})
),

-- The words of each rule as they stood last.
register as (
    select distinct on (rule_id)
        rule_id, title_zh, dimension, owner, basis, severity, on_failure, asset, rule_hash, until
    from audit.quality_rule
    order by rule_id, since desc
)"""

RULES = f"""
with {RUNS},

judged as (
    select
        rule_id,
        max(severity) as severity,
        count(distinct quality_run_id) as runs,
        count(distinct quality_run_id) filter (where not is_passed) as failed_runs,
        count(distinct quality_run_id) filter (where is_errored) as errored_runs
    from results
    group by rule_id
),

failed as (
    select
        rule_id,
        count(distinct judged_batch_id) as failed_batches,
        count(distinct of_feed) as failed_feeds,
        sum(failed_rows) filter (where judged_batch_id is not null) as failed_rows
    from failures
    group by rule_id
)

select
    coalesce(register.rule_id, judged.rule_id) as rule_id,
    coalesce(register.title_zh, judged.rule_id) as title_zh,
    coalesce(register.dimension, '未登记') as dimension,
    coalesce(register.owner, '') as owner,
    coalesce(register.basis, '') as basis,
    coalesce(register.severity, judged.severity) as severity,
    register.on_failure,
    register.rule_hash,
    coalesce(judged.runs, 0) as runs,
    coalesce(judged.failed_runs, 0) as failed_runs,
    coalesce(judged.errored_runs, 0) as errored_runs,
    coalesce(failed.failed_batches, 0) as failed_batches,
    coalesce(failed.failed_feeds, 0) as failed_feeds,
    coalesce(failed.failed_rows, 0) as failed_rows
from register
full join judged on register.rule_id = judged.rule_id
left join failed on coalesce(register.rule_id, judged.rule_id) = failed.rule_id
where register.until is null or judged.rule_id is not null
order by
    array_position(array['critical', 'warning', 'info'], coalesce(register.severity, judged.severity)),
    coalesce(failed.failed_batches, 0) desc, 1
"""

DIMENSIONS = f"""
with {RUNS},

judged as (
    select distinct rule_id, severity from results
)

select
    coalesce(register.dimension, '未登记') as dimension,
    count(distinct judged.rule_id) as rules,
    count(distinct judged.rule_id) filter (where judged.severity = 'critical') as critical_rules,
    count(distinct failures.rule_id) as failed_rules,
    count(distinct failures.judged_batch_id) filter (where failures.severity = 'critical') as critical_batches,
    count(distinct failures.judged_batch_id) filter (where failures.severity = 'warning') as warning_batches,
    count(distinct failures.of_feed) as feeds
from judged
left join register on judged.rule_id = register.rule_id
left join failures on judged.rule_id = failures.rule_id
group by coalesce(register.dimension, '未登记')
order by 1
"""

# Of the batches that a gate judged, those that failed a rule of the dimension, month by month.
DIMENSION_TREND = """
with judged as (
    select
        date_trunc('month', batch.business_date)::date as month_on,
        count(distinct batch.batch_id) as batches
    from audit.batch_verdict as verdict
    inner join audit.batch on verdict.batch_id = batch.batch_id
    where
        verdict.quality_run_id is not null
        and batch.business_date between %(since)s and %(last)s
    group by 1
),

register as (
    select distinct on (rule_id) rule_id, dimension from audit.quality_rule order by rule_id, since desc
),

failed as (
    select
        date_trunc('month', batch.business_date)::date as month_on,
        coalesce(register.dimension, '未登记') as dimension,
        count(distinct batch.batch_id) as failed_batches
    from audit.quality_result as result
    inner join audit.batch
        on coalesce(result.batch_id, case when result.subject ~ '^[0-9]{1,18}$' then result.subject::bigint end)
        = batch.batch_id
    left join register on result.rule_id = register.rule_id
    where
        not result.is_passed
        and result.severity <> 'info'
        and batch.business_date between %(since)s and %(last)s
    group by 1, 2
)

select
    judged.month_on,
    listed.dimension,
    judged.batches,
    coalesce(failed.failed_batches, 0) as failed_batches
from judged
cross join (select distinct dimension from failed) as listed
left join failed on judged.month_on = failed.month_on and listed.dimension = failed.dimension
order by listed.dimension, judged.month_on
"""

FEEDS = f"""
with {RUNS},

of_feed as (
    select
        batch.feed_code,
        count(*) filter (where batch.status <> 'refused') as batches,
        count(*) filter (where batch.status = 'refused') as refused,
        count(*) filter (where batch.status = 'held') as held,
        coalesce(sum(batch.received_rows) filter (where batch.status not in ('refused', 'superseded')), 0) as received,
        coalesce(sum(batch.rejected_rows) filter (where batch.status not in ('refused', 'superseded')), 0) as rejected
    from audit.batch
    where {OF_MONTH}
    group by batch.feed_code
)

select
    of_feed.*,
    coalesce(feeds.feed_name, of_feed.feed_code) as feed_name,
    coalesce(found.critical, 0) as critical,
    coalesce(found.warnings, 0) as warnings,
    coalesce(found.critical_rules, 0) + coalesce(found.warning_rules, 0) as failed_rules
from of_feed
left join mart.dim_feed as feeds on of_feed.feed_code = feeds.feed_code
left join (
    select
        of_feed,
        count(distinct judged_batch_id) filter (where severity = 'critical') as critical,
        count(distinct judged_batch_id) filter (where severity = 'warning') as warnings,
        count(distinct rule_id) filter (where severity = 'critical') as critical_rules,
        count(distinct rule_id) filter (where severity = 'warning') as warning_rules
    from failures
    group by of_feed
) as found on of_feed.feed_code = found.of_feed
order by
    coalesce(found.critical, 0) desc, of_feed.refused desc, coalesce(found.warnings, 0) desc, of_feed.feed_code
"""

FEED_TREND = """
select
    date_trunc('month', batch.business_date)::date as month_on,
    count(*) filter (where batch.status <> 'refused') as batches,
    count(*) filter (where batch.status = 'refused') as refused,
    count(*) filter (
        where exists (
            select from audit.batch_verdict as verdict
            where verdict.batch_id = batch.batch_id and verdict.verdict = 'held'
        )
    ) as held
from audit.batch
where batch.business_date between %(since)s and %(last)s
group by 1
order by 1
"""

SCORE_TREND = """
select
    month_on,
    part,
    round(100 * sum(points) / nullif(sum(points_max), 0), 2) as pct,
    count(*) as feeds
from audit.feed_quality
where month_on between %(since)s and %(last)s
group by month_on, part
order by month_on, part
"""

# Held by a gate, or by the loader as it came in; until a person released it, a replay took its place, or today.
HOLDS = f"""
with held as (
    select distinct on (verdict.batch_id) verdict.batch_id, verdict.decided_at as held_at, verdict.quality_run_id
    from audit.batch_verdict as verdict
    where verdict.verdict = 'held'
    order by verdict.batch_id, verdict.verdict_id
),

released as (
    select distinct on (verdict.batch_id) verdict.batch_id, verdict.decided_at as released_at, verdict.decided_by
    from audit.batch_verdict as verdict
    where verdict.verdict = 'accepted' and verdict.quality_run_id is null
    order by verdict.batch_id, verdict.verdict_id
)

select
    batch.batch_id,
    batch.feed_code,
    batch.delivery,
    batch.business_date,
    batch.staged_rows,
    batch.status,
    batch.reason_code,
    coalesce(held.held_at, batch.loaded_at) as held_at,
    coalesce(
        (
            select string_agg(distinct result.rule_id, ' ' order by result.rule_id)
            from audit.quality_result as result
            where
                result.quality_run_id = held.quality_run_id
                and result.severity = 'critical'
                and not result.is_passed
                and (result.batch_id = batch.batch_id or result.subject = batch.batch_id::text)
        ),
        batch.reason_code,
        ''
    ) as rule_ids,
    released.released_at,
    released.decided_by,
    batch.superseded_by,
    round(
        extract(epoch from coalesce(released.released_at, replay.loaded_at, %(as_of)s::timestamptz)
        - coalesce(held.held_at, batch.loaded_at)) / 86400, 1
    ) as age_days
from audit.batch
left join held on batch.batch_id = held.batch_id
left join released on batch.batch_id = released.batch_id
left join audit.batch as replay on batch.superseded_by = replay.batch_id
where {OF_MONTH} and (batch.status = 'held' or held.batch_id is not null or released.batch_id is not null)
order by released.released_at is not null, batch.business_date, batch.batch_id
"""

WAIVERS = """
select
    made.waiver_id,
    made.rule_id,
    coalesce(register.title_zh, made.rule_id) as title_zh,
    coalesce(made.feed_code, concat_ws(' ', made.scheme_id, made.period)) as subject,
    made.expires_on,
    made.waived_by,
    made.waived_at,
    revocation.waived_at as revoked_at,
    revocation.waived_by as revoked_by,
    case
        when revocation.waiver_id is not null then 'revoked'
        when made.expires_on < cast(%(as_of)s::timestamptz as date) then 'expired'
        else 'in_force'
    end as state,
    cast(%(as_of)s::timestamptz as date) - cast(made.waived_at as date) as age_days
from assess.waiver as made
left join assess.waiver as revocation on made.waiver_id = revocation.revokes_waiver_id
left join (
    select distinct on (rule_id) rule_id, title_zh from audit.quality_rule order by rule_id, since desc
) as register on made.rule_id = register.rule_id
where
    made.revokes_waiver_id is null
    and cast(made.waived_at as date) <= %(as_of)s::timestamptz
    and (
        made.period = %(period)s
        or (made.expires_on >= %(first)s and revocation.waiver_id is null)
        or cast(revocation.waived_at as date) >= %(first)s
    )
order by made.waiver_id
"""

# A waiver holds as of the newest moment recorded, not as of today: the report is the same on any day.
FINDINGS = """
select
    found.rule_id,
    coalesce(register.title_zh, found.rule_id) as title_zh,
    found.severity,
    coalesce(found.feed_code, found.subject) as subject,
    found.first_failed_at,
    found.last_failed_at,
    cast(%(as_of)s::timestamptz as date) - cast(found.first_failed_at as date) as age_days,
    waived.waiver_id
from audit.open_finding as found
left join lateral (
    select max(made.waiver_id) as waiver_id
    from assess.waiver as made
    where
        made.rule_id = found.rule_id
        and (made.feed_code = found.feed_code or concat_ws(' ', made.scheme_id, made.period) = found.subject)
        and made.revokes_waiver_id is null
        and made.expires_on >= cast(%(as_of)s::timestamptz as date)
        and not exists (select from assess.waiver as later where later.revokes_waiver_id = made.waiver_id)
) as waived on true
left join (
    select distinct on (rule_id) rule_id, title_zh from audit.quality_rule order by rule_id, since desc
) as register on found.rule_id = register.rule_id
order by
    array_position(array['critical', 'warning', 'info'], found.severity), found.first_failed_at, found.rule_id,
    coalesce(found.feed_code, found.subject)
"""

# Received = staged + rejected + duplicate + filtered, by feed; what was refused whole or withdrawn is told apart.
ACCOUNTS = f"""
with pruned as (
    select batch_id, sum(rows) as rows
    from audit.pruned
    where what <> 'landed_file' and batch_id is not null
    group by batch_id
)

select
    batch.feed_code,
    coalesce(max(feeds.feed_name), batch.feed_code) as feed_name,
    count(*) as batches,
    coalesce(sum(batch.received_rows), 0) as received,
    sum(batch.staged_rows) as staged,
    sum(batch.rejected_rows) as rejected,
    sum(batch.duplicate_rows) as duplicates,
    sum(batch.filtered_rows) as filtered,
    coalesce(sum(pruned.rows), 0) as pruned,
    coalesce(sum(batch.received_rows), 0)
    - sum(batch.staged_rows + batch.rejected_rows + batch.duplicate_rows + batch.filtered_rows) as gap,
    count(batch.control_total) as counted_by_sender,
    coalesce(sum(batch.received_rows - batch.control_total), 0) as sender_gap
from audit.batch
left join pruned on batch.batch_id = pruned.batch_id
left join mart.dim_feed as feeds on batch.feed_code = feeds.feed_code
where {OF_MONTH} and batch.status not in ('refused', 'superseded')
group by batch.feed_code
order by abs(coalesce(sum(batch.received_rows), 0)
    - sum(batch.staged_rows + batch.rejected_rows + batch.duplicate_rows + batch.filtered_rows)) desc,
    coalesce(sum(batch.received_rows), 0) desc, batch.feed_code
"""

# From the manifest to the facts: each step has two counts that must be the same.
LADDER = f"""
with wanted as materialized (
    select batch.batch_id, batch.staged_rows, batch.rejected_rows, batch.kind, batch.status
    from audit.batch
    where {OF_MONTH} and batch.status <> 'refused'
),

done as (
    select
        build_batch.batch_id,
        max(build.build_id) filter (where build_batch.action = 'take') as taken,
        coalesce(max(build.build_id) filter (where build_batch.action = 'withdraw'), 0) as withdrawn
    from audit.build_batch
    inner join audit.build on build_batch.build_id = build.build_id
    where build.status = 'succeeded'
    group by build_batch.batch_id
),

built as materialized (
    select wanted.batch_id, wanted.kind
    from wanted
    inner join done on wanted.batch_id = done.batch_id
    where done.taken > done.withdrawn
),

pruned as (
    select
        coalesce(sum(pruned.rows) filter (where pruned.what = 'rejected_rows'), 0) as rejected,
        coalesce(sum(pruned.rows) filter (where pruned.what not in ('rejected_rows', 'landed_file')), 0) as staged
    from audit.pruned
    inner join wanted on pruned.batch_id = wanted.batch_id
),

apart as (
    select coalesce(sum(apart.rows), 0) as staged
    from audit.detached_rows as apart
    inner join wanted on apart.batch_id = wanted.batch_id
),

told as materialized (
    select distinct record.feed_code, record.case_no
    from audit.told_record as record
    inner join built on record.batch_id = built.batch_id
),

gone as (
    select record.feed_code, record.case_no
    from told
    inner join audit.told_record as record using (feed_code, case_no)
    group by record.feed_code, record.case_no
    having bool_or(record.is_deleted)
),

calls as materialized (
    select
        callback.case_feed_code,
        callback.case_no,
        callback.called_at,
        coalesce(callback.unit_name, '') as unit_name,
        callback.round,
        bool_or(callback.is_deleted) as is_deleted
    from audit.told_callback as callback
    inner join built on callback.batch_id = built.batch_id
    group by 1, 2, 3, 4, 5
),

placed as (
    select
        calls.is_deleted,
        cases.case_id is null as is_waiting,
        exists (
            select from mart.fct_satisfaction as facts
            where facts.case_id = cases.root_case_id and facts.called_at = calls.called_at
        ) as is_fact
    from calls
    left join mart.fct_case as cases on calls.case_feed_code = cases.feed_code and calls.case_no = cases.case_no
)

select
    1 as no,
    '清单入库行 = 暂存表实有行 + 已按期清理行 + 随旧月份移出行' as step_zh,
    (select coalesce(sum(staged_rows), 0) from wanted) as one_side,
    (select count(*) from audit.told_record inner join wanted using (batch_id))
    + (select count(*) from audit.told_event inner join wanted using (batch_id))
    + (select count(*) from audit.told_callback inner join wanted using (batch_id))
    + (select staged from pruned) + (select staged from apart) as other_side
union all
select
    2,
    '清单拒收行 = 拒收表实有行 + 已按期清理行',
    (select coalesce(sum(rejected_rows), 0) from wanted),
    (select count(*) from audit.rejected_row inner join wanted using (batch_id)) + (select rejected from pruned)
union all
select
    3,
    '已构建批次的工单 = 事实表工单 + 来源已删除的工单',
    (select count(*) from told),
    (select count(*) from told inner join mart.fct_case using (feed_code, case_no))
    + (
        select count(*)
        from gone
        left join mart.fct_case using (feed_code, case_no)
        where fct_case.case_id is null
    )
union all
select
    4,
    '已构建批次的回访（去重）= 事实表回访 + 等待工单的回访 + 来源已撤回的回访',
    (select count(*) from calls),
    (select count(*) from placed where is_fact or is_waiting or is_deleted)
union all
select
    5,
    '已放行批次 = 已构建批次',
    (select count(*) from wanted where status = 'accepted'),
    (select count(*) from built)
order by 1
"""

RELEASES_CHECKED = """
select
    run.scheme_id,
    run.scheme_version,
    run.period,
    run.build_id,
    run.as_of,
    counted.*
from mart.score_run as run
cross join lateral audit.reconcile_release(run.scheme_id, run.scheme_version, run.period) as counted
where run.period = %(period)s
order by run.scheme_id, run.scheme_version
"""

REJECTED = f"""
select
    rejected.reason_code,
    coalesce(rejected.column_name, '') as column_name,
    count(*) as rows,
    count(distinct batch.feed_code) as feeds,
    min(batch.business_date) as first_on,
    max(batch.business_date) as last_on
from audit.batch
inner join audit.rejected_row as rejected on batch.batch_id = rejected.batch_id
where {OF_MONTH} and batch.status <> 'superseded'
group by rejected.reason_code, rejected.column_name
order by count(*) desc, 1, 2
"""

BUILDS = f"""
select
    build.build_id,
    build.status,
    build.is_full_refresh,
    build.config_version,
    build.code_version,
    build.finished_at,
    count(*) filter (where build_batch.action = 'take') as taken,
    count(*) filter (where build_batch.action = 'withdraw') as withdrawn
from audit.build
left join (audit.build_batch inner join audit.batch on build_batch.batch_id = batch.batch_id and {OF_MONTH})
    on build.build_id = build_batch.build_id
where
    batch.batch_id is not null
    or build.build_id in (
        select run.build_id from mart.score_run as run
        where run.period = %(period)s
        union all
        select release.build_id from publish.release
        where release.period = %(period)s
    )
group by build.build_id
order by build.build_id
"""
"""Those that took or gave back a batch of the month, and those that its scores and releases rest on."""

SCHEMES = """
select
    run.scheme_id,
    run.scheme_version,
    run.period,
    run.build_id,
    run.config_version,
    version.sha256 as config_sha256,
    run.as_of,
    (
        select count(*) from mart.fct_unit_score as score
        where
            score.scheme_id = run.scheme_id
            and score.scheme_version = run.scheme_version
            and score.period = run.period
    ) as units
from mart.score_run as run
inner join config.version on run.config_version = version.config_version
where run.period = %(period)s
order by run.scheme_id, run.scheme_version
"""

RELEASES = """
with linked as (
    select
        release.*,
        lag(release.hash, 1, repeat('0', 64)) over (order by release.release_id) = release.previous_hash
            as is_linked,
        last_value(release.hash) over (
            order by release.release_id rows between unbounded preceding and unbounded following
        ) as chain_head,
        count(*) over () as releases
    from publish.release
)

select
    release_id,
    scheme_id,
    scheme_version,
    period,
    revision,
    row_count,
    closed_by,
    approved_by,
    published_at,
    input_fingerprint,
    previous_hash,
    hash,
    is_linked,
    chain_head,
    releases
from linked
where period = %(period)s
order by release_id
"""

DIGESTS = f"""
select
    'batches' as name,
    encode(sha256(convert_to(coalesce(string_agg(
        concat_ws(
            ' ', batch.batch_id, batch.source_sha256, batch.status, batch.received_rows, batch.staged_rows,
            batch.rejected_rows, batch.duplicate_rows, nullif(batch.filtered_rows, 0)
        ), chr(10) order by batch.batch_id
    ), ''), 'UTF8')), 'hex') as sha256
from audit.batch
where {OF_MONTH}
union all
select
    'quality_results',
    encode(sha256(convert_to(coalesce(string_agg(
        concat_ws(' ', result.quality_run_id, result.rule_id, result.subject, result.severity, result.outcome),
        chr(10) order by result.quality_run_id, result.rule_id collate "C", result.subject collate "C"
    ), ''), 'UTF8')), 'hex')
from audit.quality_result as result
where result.quality_run_id in (
    select verdict.quality_run_id
    from audit.batch_verdict as verdict
    inner join audit.batch on verdict.batch_id = batch.batch_id
    where {OF_MONTH}
    union
    select run.quality_run_id
    from audit.quality_run as run
    where run.gate = 'release' and split_part(run.subject, ' ', 3) = %(period)s
)
union all
select
    'rules',
    encode(sha256(convert_to(coalesce(string_agg(
        concat_ws(' ', rule_id, rule_hash), chr(10) order by rule_id collate "C", since
    ), ''), 'UTF8')), 'hex')
from audit.quality_rule
union all
select
    'feed_quality',
    encode(sha256(convert_to(coalesce(string_agg(
        concat_ws(' ', feed_code, part, points, points_max, lost), chr(10) order by feed_code collate "C", part
    ), ''), 'UTF8')), 'hex')
from audit.feed_quality
where month_on = %(first)s
union all
select 'config', sha256 from config.version where config_version = (select max(config_version) from config.version)
"""
