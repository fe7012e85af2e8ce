{{ config(tags=['scoring']) }}

select
    unit_code,
    score_100,
    rank_in_group,
    not_ranked_reason
from {{ ref('fct_unit_score') }}
where
    (rank_in_group is null) <> (not_ranked_reason is not null)
    or (score_100 is null) <> (coalesce(not_ranked_reason, 'too_few') not in ('too_few', 'by_event'))
    or score_100 not between 0 and 100
