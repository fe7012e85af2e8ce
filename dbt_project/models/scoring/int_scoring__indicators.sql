-- What the run being scored counts: one row for each count of an indicator.
{{ config(post_hook='analyze {{ this }}') }}

select
    runs.scheme_id,
    runs.scheme_version,
    runs.period,
    runs.starts_at,
    runs.ends_at,
    runs.as_of,
    listed.data ->> 'indicator_code' as indicator_code,
    listed.data ->> 'measure' as measure_code,
    listed.data ->> 'moment' as moment,
    listed.data ->> 'aggregate' as aggregate,
    nullif(listed.data -> 'peer_groups', 'null') as peer_groups,
    (listed.data ->> 'counts_support')::boolean as counts_support,
    nullif(listed.data -> 'weights', 'null') as weights,
    nullif(listed.data -> 'recheck', '[]') as recheck,
    listed.data ->> 'take' as take,
    nullif(listed.data -> 'rows', 'null') as only_rows,
    listed.data -> 'repeated' ->> 'same' as repeated_same,
    listed.data -> 'repeated' ->> 'within' as repeated_within,
    (listed.data -> 'repeated' ->> 'times')::numeric as repeated_times,
    listed.data ->> 'denominator' as denominator,
    listed.data ->> 'entry' as entry,
    (listed.data ->> 'is_percent')::boolean as is_percent,
    (listed.data ->> 'is_lower_better')::boolean as is_lower_better,
    (listed.data ->> 'is_told_by_rows')::boolean as is_told_by_rows,
    (listed.data ->> 'loses_by_rows')::boolean as loses_by_rows
from {{ ref('score_run') }} as runs
cross join lateral jsonb_array_elements({{ told_of_the_scheme() }} -> 'counts') as listed (data)
