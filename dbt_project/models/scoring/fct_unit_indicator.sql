-- Each unit's count, value and points by each indicator of the scheme.
with counts as (
    select
        terms.*,
        counts.unit_code,
        counts.numerator,
        counts.denominator,
        counts.is_external_denominator,
        case
            when terms.scoring_function = 'manual'
                then coalesce(counts.entered, case when terms.entry = 'change' then 0 end)
            when counts.denominator < terms.min_n then null
            when terms.aggregate in ('count', 'sum') then counts.numerator
            when terms.aggregate in ('median', 'p90') then counts.quantile
            when counts.denominator > 0
                then
                    counts.numerator
                    * case when terms.is_percent then 100 when terms.aggregate = 'per_10k' then 10000 else 1 end
        end as counted_numerator,
        case
            when
                terms.scoring_function <> 'manual'
                and terms.aggregate not in ('count', 'sum', 'median', 'p90')
                and counts.denominator > 0
                then counts.denominator
            else 1
        end as counted_denominator
    from {{ ref('int_scoring__counts') }} as counts
    inner join {{ ref('int_scoring__terms') }} as terms
        on counts.peer_group = terms.peer_group and counts.indicator_code = terms.indicator_code
),

valued as (
    select
        *,
        case
            when is_percent and rate_decimals is not null
                then {{ half_up('counted_numerator', 'counted_denominator', 'rate_decimals') }}
            else counted_numerator
        end as value_numerator,
        case when is_percent and rate_decimals is not null then 1 else counted_denominator end as value_denominator
    from counts
),

stepped as (
    select distinct on (valued.unit_code, valued.indicator_code)
        valued.unit_code,
        valued.indicator_code,
        (steps.data ->> 'points')::numeric as step_points
    from valued
    cross join lateral jsonb_array_elements(valued.steps) with ordinality as steps (data, no)
    where
        valued.value_numerator >= (steps.data ->> 'at_least')::numeric * valued.value_denominator
        or valued.value_numerator <= (steps.data ->> 'at_most')::numeric * valued.value_denominator
    order by valued.unit_code, valued.indicator_code, steps.no
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
    from counts
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
        valued.*,
        stepped.step_points,
        spread.group_numerator,
        spread.group_denominator,
        spread.group_rate,
        spread.between_units,
        parts.points as parts_points,
        parts.times as parts_times
    from valued
    left join stepped
        on valued.unit_code = stepped.unit_code and valued.indicator_code = stepped.indicator_code
    left join spread on valued.unit_code = spread.unit_code and valued.indicator_code = spread.indicator_code
    left join parts on valued.unit_code = parts.unit_code and valued.indicator_code = parts.indicator_code
),

rounded as (
    select
        *,
        case
            when value_numerator is not null
                then {{ half_up(points_numerator(), points_denominator(), 'kept_decimals') }}
            when when_empty = 'full_points' then round(points_max, kept_decimals)
            when when_empty = 'zero' then round(0::numeric, kept_decimals)
        end as own_points
    from pointed
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
        case when group_rate is not null then {{ wilson('numerator', 'denominator', '-') }} end as wilson_low,
        case when group_rate is not null then {{ wilson('numerator', 'denominator', '+') }} end as wilson_high,
        {{ funnel_flag() }} as funnel_flag,
        {{ shrunken() }} as shrunken_value
    from rounded
)

select * from final
