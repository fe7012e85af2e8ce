-- Every visible version of the callbacks of touched cases.
-- Without CTEs: the planner does not join through a view that has some, it computes it whole.
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
    callbacks.attitude_code,
    callbacks.is_deleted,
    callbacks.row_hash,
    callbacks.feed_code,
    callbacks.batch_id,
    callbacks.row_number,
    batches.order_key
from {{ source('touched', 'touched_case') }} as touched
inner join {{ source('staging', 'callback') }} as callbacks
    on touched.feed_code = callbacks.case_feed_code and touched.case_no = callbacks.case_no
inner join {{ ref('stg_batch') }} as batches on callbacks.batch_id = batches.batch_id
where touched.is_rebuilt
