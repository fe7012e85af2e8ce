-- Events and callbacks whose case has not arrived. Nothing is lost: they attach on the build after it does.
with waiting as (
    select
        'event' as kind,
        case_id,
        case_feed_code,
        case_no,
        batch_id,
        row_number
    from {{ ref('stg_case_event') }}
    union all
    select
        'callback' as kind,
        case_id,
        case_feed_code,
        case_no,
        batch_id,
        row_number
    from {{ ref('stg_callback') }}
),

final as (
    select waiting.*
    from waiting
    left join {{ ref('int_case__winning') }} as cases on waiting.case_id = cases.case_id
    where cases.case_id is null
)

select * from final
