"""The queries of a trace. None of their columns was filled by a citizen, and none is free text."""

CASES = """
with asked as (
    select root_case_id from mart.fct_case where feed_code = %(feed_code)s and case_no = %(case_no)s
)
select
    cases.feed_code,
    coalesce(feeds.feed_name, cases.feed_code) as feed_name,
    cases.case_no,
    cases.case_id,
    cases.root_case_id,
    cases.request_type,
    cases.category_code,
    cases.area_code,
    cases.urgency,
    cases.received_at,
    cases.first_dispatched_at,
    cases.closed_at,
    cases.is_excluded,
    cases.exclusion_reason,
    concat_ws(' ', origin.feed_code, origin.case_no) as transferred_from,
    concat_ws(' ', merged.feed_code, merged.case_no) as merged_into,
    concat_ws(' ', repeated.feed_code, repeated.case_no) as repeat_of,
    cases.repeat_basis,
    cases.repeat_similarity,
    cases.source_batch_id,
    cases.source_row_number
from mart.fct_case as cases
inner join asked on cases.root_case_id = asked.root_case_id
left join mart.dim_feed as feeds on cases.feed_code = feeds.feed_code
left join mart.fct_case as origin on cases.transferred_from_case_id = origin.case_id
left join mart.fct_case as merged on cases.merged_into_case_id = merged.case_id
left join mart.fct_case as repeated on cases.repeat_of_case_id = repeated.case_id
order by
    (cases.feed_code = %(feed_code)s and cases.case_no = %(case_no)s) desc,
    cases.received_at, cases.feed_code, cases.case_no
"""

KEYS = "unnest(%(feeds)s::text[], %(numbers)s::text[]) as key (feed_code, case_no)"
VERSIONS = f"""
select
    record.feed_code,
    record.case_no,
    record.batch_id,
    record.row_number,
    record.source_updated_at,
    batch.order_key,
    record.row_hash,
    record.is_deleted,
    facts.case_id is not null as is_winning,
    bool_or(record.is_deleted) over (partition by record.feed_code, record.case_no) as is_withdrawn
from {KEYS}
inner join audit.told_record as record on key.feed_code = record.feed_code and key.case_no = record.case_no
inner join audit.batch on record.batch_id = batch.batch_id
left join mart.fct_case as facts
    on
        record.feed_code = facts.feed_code
        and record.case_no = facts.case_no
        and record.batch_id = facts.source_batch_id
        and record.row_number = facts.source_row_number
order by
    record.feed_code, record.case_no, record.source_updated_at nulls first, batch.order_key, record.batch_id,
    record.row_number
"""

EVENTS = f"""
with told as (
    select
        event.case_feed_code,
        event.case_no,
        event.event_type,
        event.occurred_at,
        event.unit_name,
        event.unit_role,
        event.due_at,
        event.feed_code,
        event.batch_id,
        event.row_number,
        event.row_hash,
        event.is_deleted,
        false as is_milestone
    from {KEYS}
    inner join audit.told_event as event on key.feed_code = event.case_feed_code and key.case_no = event.case_no
    union all
    select
        milestone.feed_code,
        milestone.case_no,
        milestone.event_type,
        milestone.occurred_at,
        milestone.unit_name,
        milestone.unit_role,
        milestone.due_at,
        milestone.feed_code,
        milestone.batch_id,
        milestone.row_number,
        milestone.row_hash,
        false,
        true
    from {KEYS}
    inner join audit.told_milestone as milestone
        on key.feed_code = milestone.feed_code and key.case_no = milestone.case_no
)

select
    told.*,
    lost.lost_reason,
    lost.standing_occurred_at,
    lost.standing_batch_id,
    lost.standing_row_number,
    coalesce(odd.anomaly_codes, '{{}}') as anomaly_codes,
    exists (
        select from audit.orphan
        where orphan.kind = 'event' and orphan.batch_id = told.batch_id and orphan.row_number = told.row_number
    ) and not told.is_milestone as is_orphan
from told
inner join audit.batch on told.batch_id = batch.batch_id
left join audit.event_version as lost
    on
        lost.case_id = md5(told.case_feed_code || '|' || told.case_no)
        and lost.batch_id = told.batch_id
        and lost.row_number = told.row_number
        and lost.event_type = told.event_type
        and lost.occurred_at = told.occurred_at
        and (lost.source = 'record') = told.is_milestone
left join lateral (
    select
        array_agg(distinct anomaly.anomaly_code order by anomaly.anomaly_code) as anomaly_codes
    from audit.lifecycle_anomaly as anomaly
    where
        anomaly.case_id = %(root)s
        and anomaly.batch_id = told.batch_id
        and anomaly.row_number = told.row_number
        and anomaly.event_type = told.event_type
        and anomaly.occurred_at = told.occurred_at
) as odd on true
order by told.occurred_at, batch.order_key, told.batch_id, told.row_number, told.event_type
"""

CALLBACKS = f"""
select
    told.case_feed_code,
    told.case_no,
    told.called_at,
    told.unit_name,
    told.channel,
    told.is_reached,
    told.contact_code,
    told.resolution_code,
    told.satisfaction_code,
    told.attitude_code,
    told.feed_code,
    told.batch_id,
    told.row_number,
    facts.callback_id,
    facts.assignment_id,
    facts.unit_code,
    facts.round
from {KEYS}
inner join audit.told_callback as told on key.feed_code = told.case_feed_code and key.case_no = told.case_no
left join mart.fct_satisfaction as facts
    on
        facts.case_id = %(root)s
        and facts.source_batch_id = told.batch_id
        and facts.source_row_number = told.row_number
order by told.called_at, told.batch_id, told.row_number
"""

BATCHES = """
with built as (
    select
        build_batch.batch_id,
        max(build.build_id) filter (where build_batch.action = 'take') as taken_by,
        max(build.build_id) filter (where build_batch.action = 'withdraw') as withdrawn_by
    from audit.build_batch
    inner join audit.build on build_batch.build_id = build.build_id
    where build.status = 'succeeded' and build_batch.batch_id = any(%(batches)s)
    group by build_batch.batch_id
)

select
    batch.batch_id,
    batch.feed_code,
    batch.delivery,
    batch.kind,
    batch.business_date,
    batch.source_name,
    batch.source_sha256,
    batch.source_bytes,
    batch.received_rows,
    batch.staged_rows,
    batch.rejected_rows,
    batch.duplicate_rows,
    batch.filtered_rows,
    batch.control_total,
    batch.status,
    batch.reason_code,
    batch.replays_batch_id,
    batch.superseded_by,
    batch.started_at,
    batch.loaded_at,
    built.taken_by as build_id,
    coalesce(built.taken_by > coalesce(built.withdrawn_by, 0), false) as is_built,
    (
        select min(pruned.pruned_at)
        from audit.pruned
        where pruned.what = 'landed_file' and pruned.source_sha256 = batch.source_sha256
    ) as file_deleted_at
from audit.batch
left join built on batch.batch_id = built.batch_id
where batch.batch_id = any(%(batches)s)
order by batch.order_key, batch.batch_id
"""

APART = """
select distinct to_char(month.month_on, 'YYYY-MM') as month
from audit.detached_case as kept
inner join audit.detached_month as month on kept.part_id = month.part_id
where kept.case_id = any(%(ids)s::uuid[]) and month.attached_at is null
order by 1
"""

VERDICTS = """
select batch_id, verdict, quality_run_id, decided_by, decided_at
from audit.batch_verdict
where batch_id = any(%(batches)s)
order by batch_id, verdict_id
"""

FAILED = """
select
    coalesce(batch_id, cast(subject as bigint)) as batch_id,
    quality_run_id,
    rule_id,
    severity,
    outcome
from audit.quality_result
where not is_passed and (batch_id = any(%(batches)s) or subject = any(%(batches)s::bigint[]::text[]))
order by quality_run_id, rule_id
"""

ASSIGNMENTS = """
select
    duty.assignment_id,
    duty.unit_code,
    coalesce(units.unit_name, duty.unit_name_raw) as unit_name,
    duty.unit_role,
    duty.round,
    duty.dispatched_at,
    duty.sign_due_at,
    duty.signed_at,
    duty.is_signed_on_time,
    duty.sign_limit_rule,
    duty.contact_due_at,
    duty.contacted_at,
    duty.is_contacted_on_time,
    duty.contact_limit_rule,
    duty.due_at,
    duty.extended_due_at,
    duty.due_in_force_at,
    duty.is_limit_unknown,
    duty.closed_at,
    duty.is_closed_on_time,
    duty.limit_rule,
    duty.clock,
    duty.is_calendar_provisional,
    duty.working_minutes_to_close,
    duty.natural_minutes_to_close,
    duty.closed_in_time_at,
    duty.voided_at,
    duty.void_reason,
    duty.is_late_at_return,
    duty.ended_at,
    duty.end_reason,
    duty.superseded_by_assignment_id,
    duty.dispatch_batch_id,
    duty.dispatch_row_number,
    duty.sign_batch_id,
    duty.sign_row_number,
    duty.close_batch_id,
    duty.close_row_number
from mart.fct_timeliness as duty
left join mart.dim_unit as units
    on
        duty.unit_code = units.unit_code
        and units.valid_from <= cast(duty.dispatched_at as date)
        and (units.valid_to is null or units.valid_to > cast(duty.dispatched_at as date))
where duty.case_id = %(root)s
order by duty.dispatched_at, duty.assignment_id
"""

RULES = """
select distinct on (key)
    key,
    data
from config.entry
where kind = 'limit_rule'
order by key asc, since_version desc
"""

DECISIONS = """
select
    'exclusion' as kind,
    excluded.exclusion_id as decision_id,
    null as state,
    null as unit_code,
    excluded.assignment_id,
    excluded.indicator_codes,
    excluded.reason_code,
    excluded.source,
    excluded.decided_by,
    excluded.decided_at
from mart.fct_exclusion as excluded
where excluded.case_id = any(%(ids)s::text[])
union all
select
    'appeal',
    cast(appeal.appeal_id as text),
    appeal.state,
    appeal.unit_code,
    appeal.assignment_id,
    appeal.indicator_codes,
    coalesce(appeal.reason_code, appeal.grounds_code),
    'assess',
    coalesce(appeal.decided_by, appeal.filed_by),
    coalesce(appeal.decided_at, appeal.filed_at)
from assess.appeal_state as appeal
where appeal.case_id = any(%(ids)s::text[])
union all
select
    'violation',
    found.violation_id,
    null,
    found.unit_code,
    found.assignment_id,
    null,
    found.violation_code,
    case when found.source_batch_id is null then 'assess' else '批次 ' || found.source_batch_id end,
    found.entered_by,
    found.found_at
from mart.fct_violation as found
where found.case_id = any(%(ids)s::text[])
order by 10, 1, 2
"""

INDICATORS = """
select
    told.period,
    told.scheme_id,
    told.scheme_version,
    told.unit_code,
    told.indicator_code,
    coalesce(listed.data ->> 'name_zh', told.indicator_code) as indicator_zh,
    told.subject_kind,
    told.subject_id,
    told.assignment_id,
    told.callback_id,
    told.numerator_value,
    told.denominator_value,
    told.excluded_reason,
    told.due_at,
    told.occurred_at,
    points.numerator,
    points.denominator,
    points.points,
    points.points_max,
    score.score_100,
    run.build_id,
    run.config_version
from mart.fct_indicator_case as told
inner join mart.score_run as run using (scheme_id, scheme_version, period)
left join mart.fct_unit_indicator as points using (scheme_id, scheme_version, period, unit_code, indicator_code)
left join mart.fct_unit_score as score using (scheme_id, scheme_version, period, unit_code)
left join lateral (
    select indicator.data
    from config.entry
    cross join lateral jsonb_array_elements(entry.data -> 'indicators') as indicator (data)
    where
        entry.kind = 'scheme'
        and entry.key = told.scheme_id
        and entry.data ->> 'scheme_version' = told.scheme_version
        and indicator.data ->> 'code' = told.indicator_code
    limit 1
) as listed on true
where told.case_id = any(%(ids)s::text[])
order by told.period, told.scheme_id, told.scheme_version, told.unit_code, told.indicator_code, told.subject_id
"""

PUBLISHED = """
select
    release.period,
    release.scheme_id,
    release.revision,
    release.release_id,
    release.published_at,
    release.approved_by,
    release.hash,
    told.change,
    told.unit_code,
    told.indicator_code,
    told.subject_kind,
    told.subject_id,
    told.numerator_value,
    told.denominator_value,
    told.excluded_reason,
    told.row_no,
    told.hash as row_hash
from publish.evidence as told
inner join publish.release on told.release_id = release.release_id
where told.case_id = any(%(ids)s::text[])
order by release.release_id, told.unit_code, told.indicator_code, told.subject_id, told.change desc
"""
