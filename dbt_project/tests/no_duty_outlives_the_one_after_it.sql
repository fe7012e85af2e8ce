-- Once a unit's latest lead duty on a matter is over, no earlier one of it is open; and none counts late that was not
-- late when another took its place. Of duties under the readings of edition 2.
{{ config(tags=['facts']) }}

with duties as (
    select
        timeliness.*,
        last_value(timeliness.ended_at) over of_unit as latest_ended_at,
        last_value(timeliness.assignment_id) over of_unit as latest_assignment_id,
        opened.edition
    from {{ ref('fct_timeliness') }} as timeliness
    inner join {{ ref('int_assignment__opened') }} as opened on timeliness.assignment_id = opened.assignment_id
    where timeliness.unit_role = 'lead' and opened.unit_ref is not null
    window of_unit as (
        partition by timeliness.case_id, opened.unit_ref
        order by opened.dispatched_at, opened.opening_rank, opened.assignment_id
        rows between unbounded preceding and unbounded following
    )
)

select
    assignment_id,
    case_id,
    unit_code,
    dispatched_at,
    ended_at,
    latest_assignment_id
from duties
where
    edition > 1
    and (
        (ended_at is null and latest_ended_at is not null and assignment_id <> latest_assignment_id)
        or (end_reason = 'superseded' and ended_at <= due_in_force_at and is_closed_on_time is false)
        or (closed_in_time_at is not null and is_closed_on_time is not true)
    )
