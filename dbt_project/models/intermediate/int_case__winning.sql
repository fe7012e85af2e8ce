-- The newest version of each record: by the sender's update time, then the order of batches, then of rows. A record
-- whose newest version is a tombstone is gone.
with newest as (
    select *
    from {{ newest_version(
        ref('stg_case_record'), ['case_id'], ["coalesce(source_updated_at, '-infinity')", 'order_key', 'row_number']
    ) }} as versions
),

final as (
    select * from newest
    where not is_deleted
)

select * from final
