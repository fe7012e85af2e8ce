-- What was told of an event and does not count, with the version that does.
with told as (
    select * from {{ ref('int_event__told') }}
),

standing as (
    select * from told
    where version_no = 1
),

lost as (
    select
        told.*,
        told.event_id as standing_event_id
    from told
    where told.version_no > 1 and not told.is_deleted
    union all
    select
        standing.*,
        outranked.outranked_by_event_id as standing_event_id
    from standing
    inner join {{ ref('int_event__outranked') }} as outranked on standing.event_id = outranked.event_id
),

final as (
    select
        lost.event_id,
        lost.case_id,
        lost.event_type,
        lost.occurred_at,
        lost.unit_name,
        lost.due_at,
        lost.result_code,
        lost.source,
        case
            when standing.is_deleted then 'retracted'
            when standing.source = lost.source then 'corrected'
            else 'source_of_record'
        end as lost_reason,
        lost.batch_id,
        lost.row_number,
        lost.standing_event_id,
        standing.occurred_at as standing_occurred_at,
        standing.batch_id as standing_batch_id,
        standing.row_number as standing_row_number
    from lost
    inner join standing on lost.standing_event_id = standing.event_id
)

select * from final
