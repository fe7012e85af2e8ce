{{ config(tags=['scoring']) }}

with expected as (
    select
        units.unit_code,
        indicators.indicator_code
    from {{ ref('int_scoring__units') }} as units
    inner join {{ ref('int_scoring__indicators') }} as indicators
        on indicators.peer_groups is null or indicators.peer_groups ? units.peer_group
)

select
    expected.unit_code,
    expected.indicator_code
from expected
left join {{ ref('fct_unit_indicator') }} as points
    on expected.unit_code = points.unit_code and expected.indicator_code = points.indicator_code
left join {{ ref('fct_unit_score') }} as scores on expected.unit_code = scores.unit_code
where points.unit_code is null or scores.unit_code is null
