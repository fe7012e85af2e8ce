-- Every visible version of the events of touched cases.
-- Without CTEs: the planner does not join through a view that has some, it computes it whole.
select
    touched.case_id,
    events.case_feed_code,
    events.case_no,
    events.source_event_no,
    events.event_type,
    events.occurred_at,
    events.occurred_precision,
    events.unit_name,
    events.unit_role,
    events.due_at,
    events.limit_kind,
    events.result_code,
    events.reason_code,
    events.is_deleted,
    events.row_hash,
    events.feed_code,
    events.batch_id,
    events.row_number,
    batches.order_key
from {{ source('touched', 'touched_case') }} as touched
inner join {{ source('staging', 'case_event') }} as events
    on touched.feed_code = events.case_feed_code and touched.case_no = events.case_no
inner join {{ ref('stg_batch') }} as batches on events.batch_id = batches.batch_id
where touched.is_rebuilt
