-- Every version of every event that says something of its own: those delivered, and those that the winning record of a
-- case carries. Version 1 stands: the best source's newest. The others stay visible as audit.event_version.
-- Identity: the sender's number, else type, time, unit and ordinal; a milestone is known by its place on the row, so
-- that a corrected time changes the event and does not make a second one.
with delivered as (
    select
        case_id,
        event_type,
        occurred_at,
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
            concat_ws(
                '|', 'at', event_type, extract(epoch from occurred_at), coalesce(unit_name, ''),
                row_number() over (
                    partition by batch_id, case_id, event_type, occurred_at, unit_name, source_event_no
                    order by row_number
                )
            )
        ) as identity
    from {{ ref('stg_case_event') }}
),

carried as (
    select
        cases.case_id,
        milestone.event ->> 'event_type' as event_type,
        (milestone.event ->> 'occurred_at')::timestamptz as occurred_at,
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

contents as (
    select * from {{ newest_version('versions', ['case_id', 'identity', 'source', 'row_hash']) }} as told
),

numbered as (
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
