-- Not so what a person entered, schemes that give no points where nothing was due, and a table of counts: who has none
-- of what is wanted has no row. Of a mean of shorter periods the rows are theirs.
{{ config(tags=['scoring']) }}

select
    points.unit_code,
    points.indicator_code,
    points.points
from {{ ref('fct_unit_indicator') }} as points
inner join {{ ref('int_scoring__units') }} as units on points.unit_code = units.unit_code
inner join {{ ref('int_scoring__terms') }} as terms
    on units.peer_group = terms.peer_group and points.indicator_code = terms.indicator_code
where
    points.points < points.points_max
    and coalesce(points.denominator, 0) = 0
    and terms.scoring_function not in ('manual', 'per_item_bonus')
    and not (terms.scoring_function = 'steps' and terms.aggregate in ('count', 'sum'))
    and terms.when_empty <> 'zero'
    and not {{ is_mean_of_parts() }}
