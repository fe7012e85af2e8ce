-- What was counted of each unit by each indicator, and what was entered by hand.
with units as (
    select * from {{ ref('int_scoring__units') }}
),

indicators as (
    select * from {{ ref('int_scoring__indicators') }}
),

cases as (
    select * from {{ ref('counted_row') }}
),

sums as (
    select
        unit_code,
        indicator_code,
        sum(numerator_value) as numerator,
        sum(denominator_value) as denominator
    from cases
    group by unit_code, indicator_code
),

quantiles as (
    select
        cases.unit_code,
        cases.indicator_code,
        case
            when indicators.aggregate = 'median'
                then percentile_disc(0.5) within group (order by cases.numerator_value)
            else percentile_disc(0.9) within group (order by cases.numerator_value)
        end as quantile
    from cases
    inner join indicators on cases.indicator_code = indicators.indicator_code
    where indicators.aggregate in ('median', 'p90') and cases.denominator_value > 0
    group by cases.unit_code, cases.indicator_code, indicators.aggregate
),

entries as (
    select
        unit_code,
        indicator_code,
        sum(points) as entered_sum,
        (array_agg(points order by entered_at desc, manual_point_id desc))[1] as entered_last
    from {{ source('in_force', 'manual_point_in_force') }}
    where scheme_id = '{{ var("scheme_id") }}' and period = '{{ var("period") }}'
    group by unit_code, indicator_code
),

counted as (
    select
        units.unit_code,
        units.unit_key,
        units.peer_group,
        indicators.indicator_code,
        indicators.aggregate,
        indicators.entry,
        case coalesce(indicators.denominator, 'population')
            when 'population' then units.population
            when 'grids' then units.grids
            when 'staff' then units.staff
        end as told_by_register,
        coalesce(sums.numerator, 0) as numerator,
        coalesce(sums.denominator, 0) as denominator,
        sum(coalesce(sums.numerator, 0)) over (partition by units.peer_group, indicators.indicator_code) as group_numerator,
        quantiles.quantile,
        entries.entered_sum,
        entries.entered_last
    from units
    inner join indicators on indicators.peer_groups is null or indicators.peer_groups ? units.peer_group
    left join sums on units.unit_code = sums.unit_code and indicators.indicator_code = sums.indicator_code
    left join quantiles
        on units.unit_code = quantiles.unit_code and indicators.indicator_code = quantiles.indicator_code
    left join entries on units.unit_code = entries.unit_code and indicators.indicator_code = entries.indicator_code
),

final as (
    select
        unit_code,
        unit_key,
        peer_group,
        indicator_code,
        numerator,
        case aggregate
            when 'share' then group_numerator
            when 'per_10k' then coalesce(told_by_register, 0)::numeric
            when 'per' then coalesce(told_by_register, 0)::numeric
            else denominator
        end as denominator,
        aggregate in ('share', 'per_10k', 'per') as is_external_denominator,
        quantile,
        case when entry = 'earned' then entered_last else entered_sum end as entered
    from counted
)

select * from final
