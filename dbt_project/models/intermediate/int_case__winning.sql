-- The newest version of each record: by the sender's update time, then the order of batches, then of rows. A record
-- whose newest version is a tombstone is gone. A version sent again unchanged is told by the row that sent it first.
with records as (
    select
        *,
        first_value(batch_id) over same_content as told_by_batch_id,
        first_value(row_number) over same_content as told_by_row_number
    from {{ ref('stg_case_record') }}
    window same_content as (
        partition by case_id, row_hash
        order by coalesce(source_updated_at, '-infinity'), order_key, row_number
    )
),

newest as (
    select distinct on (case_id) *
    from records
    order by
        case_id asc,
        coalesce(source_updated_at, '-infinity') desc,
        order_key desc,
        row_number desc
),

final as (
    select * from newest
    where not is_deleted
)

select * from final
