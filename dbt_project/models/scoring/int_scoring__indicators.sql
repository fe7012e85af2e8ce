-- The indicators of the run being scored: what they count, without the numbers that differ by peer group and date.
{{ config(post_hook='analyze {{ this }}') }}

select
    schemes.scheme_id,
    schemes.scheme_version,
    schemes.period,
    schemes.starts_at,
    schemes.ends_at,
    schemes.as_of,
    listed.data ->> 'code' as indicator_code,
    listed.data ->> 'measure' as measure_code,
    listed.data ->> 'moment' as moment,
    listed.data ->> 'aggregate' as aggregate,
    nullif(listed.data -> 'peer_groups', 'null') as peer_groups,
    listed.data ->> 'support_units' = 'in' as counts_support,
    nullif(listed.data -> 'answers' -> 'weights', 'null') as weights,
    nullif(listed.data -> 'answers' -> 'recheck', '[]') as recheck,
    coalesce(listed.data -> 'answers' ->> 'take', 'every') as take
from {{ ref('int_scoring__schemes') }} as schemes
cross join lateral jsonb_array_elements(schemes.data -> 'indicators') as listed (data)
