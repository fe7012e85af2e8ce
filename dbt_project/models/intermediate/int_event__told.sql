-- Every version of every event that says something of its own: those delivered, and those that the winning record of a
-- case carries. Version 1 stands: the best source's newest. The others stay visible as audit.event_version.
-- Identity: the sender's number, else type, time, unit and ordinal; a milestone is known by its place on the row, so
-- that a corrected time changes the event and does not make a second one.
with events as (
    select
        *,
        null::bigint as ordinal
    from {{ ref('stg_case_event') }}
    where source_event_no is not null
    union all
    select
        *,
        row_number() over (
            partition by batch_id, case_id, event_type, occurred_at, unit_name
            order by row_number
        ) as ordinal
    from {{ ref('stg_case_event') }}
    where source_event_no is null
),

delivered as (
    select
        case_id,
        event_type,
        occurred_at,
        occurred_precision,
        unit_name,
        unit_role,
        due_at,
        limit_kind,
        result_code,
        reason_code,
        is_deleted,
        row_hash,
        batch_id,
        row_number,
        order_key,
        feed_code as source,
        feed_code = case_feed_code as is_own,
        coalesce(
            'no|' || feed_code || '|' || source_event_no,
            concat_ws('|', 'at', event_type, extract(epoch from occurred_at), coalesce(unit_name, ''), ordinal)
        ) as identity
    from events
),

carried as (
    select
        cases.case_id,
        milestone.event ->> 'event_type' as event_type,
        (milestone.event ->> 'occurred_at')::timestamptz as occurred_at,
        milestone.event ->> 'occurred_precision' as occurred_precision,
        milestone.event ->> 'unit_name' as unit_name,
        milestone.event ->> 'unit_role' as unit_role,
        (milestone.event ->> 'due_at')::timestamptz as due_at,
        milestone.event ->> 'limit_kind' as limit_kind,
        milestone.event ->> 'result_code' as result_code,
        milestone.event ->> 'reason_code' as reason_code,
        false as is_deleted,
        cases.row_hash,
        cases.told_by_batch_id as batch_id,
        cases.told_by_row_number as row_number,
        cases.order_key,
        'record' as source,
        true as is_own,
        concat_ws(
            '|', 'milestone', milestone.event ->> 'event_type',
            row_number() over (partition by cases.case_id, milestone.event ->> 'event_type' order by milestone.place)
        ) as identity
    from {{ ref('int_case__winning') }} as cases
    cross join lateral jsonb_array_elements(cases.milestones) with ordinality as milestone (event, place)
    where cases.milestones is not null
),

sent as (
    select * from delivered
    union all
    select * from carried
),

versions as (
    select
        sent.*,
        {{ source_rank('sent', 'feeds.feed_role', 'city.unit_tells') }} as source_rank
    from sent
    cross join {{ ref('stg_city') }} as city
    left join {{ ref('stg_feed') }} as feeds on sent.source = feeds.feed_code
),

-- Nearly all cases are told once: theirs need not be put in order, which costs more than all the rest.
told_again as (
    select distinct case_id
    from (
        select case_id
        from versions
        group by case_id, identity
        having count(*) > 1
    ) as events_told_again
),

several as (
    select versions.*
    from versions
    inner join told_again on versions.case_id = told_again.case_id
),

contents as (
    select * from {{ newest_version('several', ['case_id', 'identity', 'source', 'row_hash']) }} as told
),

numbered as (
    select
        versions.*,
        versions.batch_id as told_by_batch_id,
        versions.row_number as told_by_row_number,
        1 as version_no
    from versions
    left join told_again on versions.case_id = told_again.case_id
    where told_again.case_id is null
    union all
    select
        *,
        row_number() over (
            partition by case_id, identity
            order by source_rank asc, source asc, order_key desc, row_number desc
        ) as version_no
    from contents
),

final as (
    select
        md5(numbered.case_id || '|' || numbered.identity) as event_id,
        numbered.version_no,
        numbered.is_deleted,
        numbered.source,
        numbered.source_rank,
        numbered.case_id,
        cases.root_case_id,
        -- the hash of the root's key and the opening event's identity; other numbers of the chain keep theirs apart
        md5(concat_ws('|', cases.root_case_id, nullif(numbered.case_id, cases.root_case_id), numbered.identity))
            as assignment_id,
        numbered.event_type,
        numbered.occurred_at,
        numbered.occurred_precision,
        numbered.unit_name,
        names.unit_code,
        names.unit_codes,
        coalesce(names.unit_code, 'raw|' || numbered.unit_name) as unit_ref,
        numbered.unit_role,
        numbered.due_at,
        numbered.limit_kind,
        numbered.result_code,
        numbered.reason_code,
        {{ event_rank('numbered.event_type') }} as event_rank,
        numbered.told_by_batch_id as batch_id,
        numbered.told_by_row_number as row_number
    from numbered
    inner join {{ ref('int_case__rooted') }} as cases on numbered.case_id = cases.case_id
    left join {{ ref('stg_unit_name') }} as names
        on {{ means_at('names', 'numbered.unit_name', 'numbered.occurred_at') }}
)

select * from final
