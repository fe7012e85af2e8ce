-- What units did and what was decided about them, each event with the assignment it belongs to, and the moment at which
-- it counts there.
{{ config(materialized='view') }}

select
    placed.*,
    coalesce(walked.assignment_id, retold.assignment_id, placed.told_id) as assignment_id,
    coalesce(walked.opened_at, placed.occurred_at) as counted_at,
    coalesce(walked.opened_rank, placed.event_rank) as counted_rank,
    walked.is_barred
from {{ ref('int_event__placed') }} as placed
left join {{ ref('int_assignment__walked') }} as walked
    on placed.event_id = walked.told_id and walked.kind = 'event'
left join {{ ref('int_assignment__retold') }} as retold
    on
        placed.told_id = retold.told_id
        and {{ stands_in('placed.occurred_at', 'placed.event_rank', 'retold') }}
