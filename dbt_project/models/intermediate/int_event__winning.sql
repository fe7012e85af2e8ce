-- One row per event: the version that stands, unless a better source tells of the same event. What tells a day only
-- stands in its place on that day.
{{ config(materialized='view') }}

select
    told.event_id,
    told.case_id,
    told.root_case_id,
    told.assignment_id,
    told.event_type,
    coalesce(placed.occurred_at, told.occurred_at) as occurred_at,
    told.occurred_precision,
    told.unit_name,
    told.unit_code,
    told.unit_codes,
    told.unit_ref,
    told.unit_role,
    told.due_at,
    told.limit_kind,
    told.result_code,
    told.reason_code,
    told.event_rank,
    told.source,
    told.batch_id,
    told.row_number
from {{ ref('int_event__told') }} as told
left join {{ ref('int_event__outranked') }} as outranked on told.event_id = outranked.event_id
left join {{ ref('int_event__of_a_day') }} as placed on told.event_id = placed.event_id
where told.version_no = 1 and not told.is_deleted and outranked.event_id is null
