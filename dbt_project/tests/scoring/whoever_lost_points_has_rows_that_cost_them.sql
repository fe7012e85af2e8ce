-- Not so what a person entered, schemes that give no points where nothing was due, and a table of counts: who has none
-- of what is wanted has no row. Of a mean of shorter periods the rows are theirs.
{{ config(tags=['scoring']) }}

select
    points.unit_code,
    points.indicator_code,
    points.points
from {{ ref('fct_unit_indicator') }} as points
inner join {{ ref('int_scoring__indicators') }} as indicators on points.indicator_code = indicators.indicator_code
where
    points.points < points.points_max
    and coalesce(points.denominator, 0) = 0
    and indicators.loses_by_rows
    and not {{ is_mean_of_parts() }}
