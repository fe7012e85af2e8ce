-- Each unit's score, band and place, as minhu/schemes/tally.py makes them of its points.
select
    scheme_id,
    scheme_version,
    period,
    unit_code,
    unit_key,
    peer_group,
    raw_points,
    score_100,
    assessed_points,
    band,
    rank_in_group,
    not_ranked_reason,
    listed_on
from {{ source('scored', 'scored_unit') }}
