-- Each unit's count, value and points by each indicator of the scheme, as minhu/schemes/tally.py makes them of the
-- counts.
select
    scheme_id,
    scheme_version,
    period,
    unit_code,
    unit_key,
    indicator_code,
    numerator,
    denominator,
    is_external_denominator,
    value,
    target,
    points_max,
    points,
    wilson_low,
    wilson_high,
    wilson_low_pct,
    wilson_high_pct,
    funnel_flag,
    shrunken_value,
    reference_value,
    compared_value,
    pooled_numerator,
    pooled_denominator,
    earlier,
    has_happened
from {{ source('scored', 'scored_indicator') }}
