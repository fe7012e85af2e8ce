-- Events and callbacks whose case has not arrived. Nothing is lost: they attach on the build after it does.
with without_record as (
    select touched.case_id
    from {{ source('touched', 'touched_case') }} as touched
    left join {{ ref('int_case__winning') }} as cases on touched.case_id = cases.case_id
    where touched.is_rebuilt and cases.case_id is null
),

final as (
    select
        'event' as kind,
        events.case_id,
        events.case_feed_code,
        events.case_no,
        events.batch_id,
        events.row_number
    from without_record
    inner join {{ ref('stg_case_event') }} as events on without_record.case_id = events.case_id
    union all
    select
        'callback' as kind,
        callbacks.case_id,
        callbacks.case_feed_code,
        callbacks.case_no,
        callbacks.batch_id,
        callbacks.row_number
    from without_record
    inner join {{ ref('stg_callback') }} as callbacks on without_record.case_id = callbacks.case_id
)

select * from final
