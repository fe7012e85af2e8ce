-- From when until when a dispatch stands in a duty that another opened. Before, as whatever else was dispatched, it
-- stands for itself.
select
    walked.told_id,
    told.dispatched_at as told_at,
    told.opening_rank as told_rank,
    walked.assignment_id,
    walked.opened_at as from_at,
    walked.opened_rank as from_rank,
    coalesce(lead(walked.opened_at) over of_word, 'infinity') as until_at,
    coalesce(lead(walked.opened_rank) over of_word, 0) as until_rank
from {{ ref('int_assignment__walked') }} as walked
inner join {{ ref('int_assignment__told') }} as told on walked.told_id = told.assignment_id
where walked.kind = 'word'
window of_word as (partition by walked.told_id order by walked.opened_at, walked.opened_rank, walked.duty_no)
