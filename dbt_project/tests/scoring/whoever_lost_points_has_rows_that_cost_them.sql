{{ config(tags=['scoring']) }}

select
    unit_code,
    indicator_code,
    points
from {{ ref('fct_unit_indicator') }}
where points < points_max and coalesce(denominator, 0) = 0
