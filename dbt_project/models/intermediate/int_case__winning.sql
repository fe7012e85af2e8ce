-- The newest version of each record: by the sender's update time, then the order of batches, then of rows.
with records as (
    select * from {{ ref('stg_case_record') }}
),

final as (
    select distinct on (case_id) *
    from records
    order by
        case_id asc,
        coalesce(source_updated_at, '-infinity') desc,
        order_key desc,
        row_number desc
)

select * from final
