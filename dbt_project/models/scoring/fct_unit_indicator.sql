-- Each unit's count, rate and points by each indicator of the scheme.
with units as (
    select * from {{ ref('int_scoring__units') }}
),

indicators as (
    select * from {{ ref('int_scoring__indicators') }}
),

sums as (
    select
        unit_code,
        indicator_code,
        sum(numerator_value) as numerator,
        sum(denominator_value) as denominator
    from {{ ref('int_scoring__indicator_cases') }}
    group by unit_code, indicator_code
),

counts as (
    select
        indicators.*,
        units.unit_code,
        coalesce(sums.numerator, 0) as numerator,
        coalesce(sums.denominator, 0) as denominator
    from units
    cross join indicators
    left join sums on units.unit_code = sums.unit_code and indicators.indicator_code = sums.indicator_code
),

final as (
    select
        scheme_id,
        scheme_version,
        period,
        unit_code,
        indicator_code,
        numerator,
        denominator,
        false as is_external_denominator,
        case
            when aggregate = 'count' then numerator
            else round(100 * numerator / nullif(denominator, 0), 4)
        end as value,
        target,
        points_max,
        round({{ points_of() }}, decimals) as points,
        case when aggregate = 'rate' and denominator > 0 then {{ wilson('numerator', 'denominator', '-') }} end
            as wilson_low,
        case when aggregate = 'rate' and denominator > 0 then {{ wilson('numerator', 'denominator', '+') }} end
            as wilson_high,
        null::text as funnel_flag
    from counts
)

select * from final
