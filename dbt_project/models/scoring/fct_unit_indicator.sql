-- Each unit's count, value and points by each indicator of the scheme.
with scored as (
    {{ scored_counts(ref('int_scoring__counts'), ref('int_scoring__terms'), ['unit_key']) }}
),

pooled as (
    select
        unit_code,
        indicator_code,
        sum(numerator) over of_group as group_numerator,
        sum(denominator) over of_group as group_denominator,
        count(*) over of_group as group_units,
        sum(denominator ^ 2) over of_group as group_squares,
        sum(numerator ^ 2 / denominator) over of_group as group_variance
    from scored
    where
        aggregate = 'rate'
        and measure_code is not null
        and measure_code <> all(string_to_array('{{ var("holding_points", []) | join(",") }}', ','))
        and denominator > 0
    window of_group as (partition by peer_group, indicator_code)
),

spread as (
    select
        *,
        group_numerator / group_denominator as group_rate,
        coalesce(
            greatest(
                0,
                (
                    group_variance
                    - group_numerator ^ 2 / group_denominator
                    - (group_units - 1) * (group_numerator / group_denominator)
                    * (1 - group_numerator / group_denominator)
                )
                / nullif(group_denominator - group_squares / group_denominator, 0)
            ),
            0
        ) as between_units
    from pooled
),

-- What the shorter periods gave of which this one is the mean, if it is.
parts as (
    select
        shorter.unit_code,
        shorter.indicator_code,
        sum(shorter.points) as points,
        count(shorter.points) as times
    from {{ source('results', 'fct_unit_indicator') }} as shorter
    inner join {{ parts_of_the_period() }} as listed
        on
            shorter.scheme_id = listed.scheme_id
            and shorter.scheme_version = listed.scheme_version
            and shorter.period = listed.period
    group by shorter.unit_code, shorter.indicator_code
),

pointed as (
    select
        scored.*,
        spread.group_numerator,
        spread.group_denominator,
        spread.group_rate,
        spread.between_units,
        parts.points as parts_points,
        parts.times as parts_times,
        case when spread.group_rate is not null then {{ wilson('scored.numerator', 'scored.denominator', '-') }} end
            as wilson_low,
        case when spread.group_rate is not null then {{ wilson('scored.numerator', 'scored.denominator', '+') }} end
            as wilson_high
    from scored
    left join spread on scored.unit_code = spread.unit_code and scored.indicator_code = spread.indicator_code
    left join parts on scored.unit_code = parts.unit_code and scored.indicator_code = parts.indicator_code
),

final as (
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
        case
            when scoring_function = 'manual' then case when value_numerator is not null then own_points end
            when aggregate in ('count', 'sum') then value_numerator
            else round(value_numerator / value_denominator, 4)
        end as value,
        target,
        points_max,
        case
            when not {{ is_mean_of_parts() }} then own_points
            when parts_times > 0 then {{ half_up('parts_points', 'parts_times', 'kept_decimals') }}
        end as points,
        wilson_low,
        wilson_high,
        100 * wilson_low as wilson_low_pct,
        100 * wilson_high as wilson_high_pct,
        {{ funnel_flag() }} as funnel_flag,
        {{ shrunken() }} as shrunken_value
    from pointed
)

select * from final
