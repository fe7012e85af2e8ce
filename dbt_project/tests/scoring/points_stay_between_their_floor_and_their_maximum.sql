{{ config(tags=['scoring']) }}

select
    points.unit_code,
    points.indicator_code,
    points.points
from {{ ref('fct_unit_indicator') }} as points
inner join {{ ref('int_scoring__indicators') }} as indicators
    on points.indicator_code = indicators.indicator_code
where
    points.points > indicators.points_max
    or points.points < coalesce(indicators.floor_points, indicators.points_max - indicators.cap_points, 0)
