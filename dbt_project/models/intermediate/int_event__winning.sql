-- One row per event: those delivered, newest version each, and those that the winning record of a case carries.
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
        concat_ws(
            '|', 'milestone', milestone.event ->> 'event_type',
            row_number() over (partition by cases.case_id, milestone.event ->> 'event_type' order by milestone.place)
        ) as identity
    from {{ ref('int_case__winning') }} as cases
    cross join lateral jsonb_array_elements(cases.milestones) with ordinality as milestone (event, place)
    where cases.milestones is not null
),

versions as (
    select * from delivered
    union all
    select * from carried
),

newest as (
    select * from {{ newest_version('versions', ['case_id', 'identity']) }} as told
),

final as (
    select
        md5(newest.case_id || '|' || newest.identity) as event_id,
        newest.case_id,
        cases.root_case_id,
        -- the hash of the root's key and the opening event's identity; other numbers of the chain keep theirs apart
        md5(concat_ws('|', cases.root_case_id, nullif(newest.case_id, cases.root_case_id), newest.identity))
            as assignment_id,
        newest.event_type,
        newest.occurred_at,
        newest.unit_name,
        names.unit_code,
        coalesce(names.unit_code, 'raw|' || newest.unit_name) as unit_ref,
        newest.unit_role,
        newest.due_at,
        newest.limit_kind,
        newest.result_code,
        newest.reason_code,
        {{ event_rank('newest.event_type') }} as event_rank,
        newest.told_by_batch_id as batch_id,
        newest.told_by_row_number as row_number
    from newest
    inner join {{ ref('int_case__rooted') }} as cases on newest.case_id = cases.case_id
    left join {{ ref('stg_unit_name') }} as names on newest.unit_name = names.unit_name
    where not newest.is_deleted
)

select * from final
