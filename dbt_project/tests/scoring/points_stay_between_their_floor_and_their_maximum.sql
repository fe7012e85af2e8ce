{{ config(tags=['scoring']) }}

with bounds as (
    select
        units.unit_code,
        terms.indicator_code,
        round(
            case
                when terms.points_max > 0 or terms.scoring_function = 'per_item_deduction' then terms.points_max
                else coalesce(terms.cap_points, terms.points_max)
            end,
            terms.kept_decimals
        ) as most,
        round(
            case
                when terms.scoring_function = 'per_item_deduction' then terms.points_max - terms.cap_points
                when terms.when_empty = 'zero' then least(terms.floor_points, 0)
                else coalesce(terms.floor_points, 0)
            end,
            terms.kept_decimals
        ) as least
    from {{ ref('int_scoring__units') }} as units
    inner join {{ ref('int_scoring__terms') }} as terms on units.peer_group = terms.peer_group
)

select
    points.unit_code,
    points.indicator_code,
    points.points
from {{ ref('fct_unit_indicator') }} as points
inner join bounds on points.unit_code = bounds.unit_code and points.indicator_code = bounds.indicator_code
where points.points > bounds.most or points.points < bounds.least
