{{ config(tags=['scoring']) }}

with expected as (
    select
        units.unit_code,
        terms.indicator_code
    from {{ ref('int_scoring__units') }} as units
    inner join {{ ref('int_scoring__terms') }} as terms on units.peer_group = terms.peer_group
)

select
    expected.unit_code,
    expected.indicator_code
from expected
left join {{ ref('fct_unit_indicator') }} as points
    on expected.unit_code = points.unit_code and expected.indicator_code = points.indicator_code
left join {{ ref('fct_unit_score') }} as scores on expected.unit_code = scores.unit_code
where points.unit_code is null or scores.unit_code is null
