-- Every visible version of the records of touched cases, and of those read beside them.
with touched as (
    select * from {{ source('touched', 'touched_case') }}
),

batches as (
    select * from {{ ref('stg_batch') }}
),

final as (
    select
        touched.case_id,
        touched.is_rebuilt,
        records.feed_code,
        records.case_no,
        {{ case_id('records.upstream_feed_code', 'records.upstream_case_no') }} as upstream_case_id,
        records.request_type,
        records.category_code,
        records.channel,
        records.urgency,
        records.received_at,
        records.area_code,
        records.caller_token,
        records.milestones,
        records.source_updated_at,
        records.is_deleted,
        records.row_hash,
        records.batch_id,
        records.row_number,
        batches.order_key
    from touched
    inner join {{ source('staging', 'case_record') }} as records
        on touched.feed_code = records.feed_code and touched.case_no = records.case_no
    inner join batches on records.batch_id = batches.batch_id
)

select * from final
