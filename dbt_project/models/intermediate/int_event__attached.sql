-- What units did and what was decided about them, each event with the assignment it belongs to.
{{ config(materialized='view') }}

select
    placed.*,
    coalesce(retold.assignment_id, placed.told_id) as assignment_id
from {{ ref('int_event__placed') }} as placed
left join {{ ref('int_assignment__retold') }} as retold
    on
        placed.told_id = retold.told_id
        and {{ stands_in('placed.counted_at', 'placed.counted_rank', 'retold') }}
