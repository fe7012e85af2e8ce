-- A flag stored while an assignment is open would go stale the moment its limit passes. One whose close stood then
-- was in time, though review sent it back since.
{{ config(tags=['facts']) }}

select assignment_id
from {{ ref('fct_timeliness') }}
where
    (ended_at is null and closed_in_time_at is null and is_closed_on_time is not null)
    or (signed_at is null and is_signed_on_time is not null)
    or (contacted_at is null and is_contacted_on_time is not null)
