-- Every visible version of the callbacks of touched cases.
with touched as (
    select * from {{ source('touched', 'touched_case') }}
    where is_rebuilt
),

batches as (
    select * from {{ ref('stg_batch') }}
),

final as (
    select
        touched.case_id,
        callbacks.case_feed_code,
        callbacks.case_no,
        callbacks.unit_name,
        callbacks.round,
        callbacks.called_at,
        callbacks.channel,
        coalesce(callbacks.is_reached, callbacks.reach_code = 'reached') as is_reached,
        coalesce(
            callbacks.reach_code,
            case when callbacks.is_reached then 'reached' when not callbacks.is_reached then 'unreachable' end
        ) as reach_code,
        callbacks.contact_code,
        callbacks.resolution_code,
        callbacks.satisfaction_scale,
        callbacks.satisfaction_code,
        callbacks.is_deleted,
        callbacks.row_hash,
        callbacks.feed_code,
        callbacks.batch_id,
        callbacks.row_number,
        batches.order_key
    from touched
    inner join {{ source('staging', 'callback') }} as callbacks
        on touched.feed_code = callbacks.case_feed_code and touched.case_no = callbacks.case_no
    inner join batches on callbacks.batch_id = batches.batch_id
)

select * from final
