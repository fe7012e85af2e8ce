-- The rows behind the lost points: those that fell short of what the indicator asks for, and those that count for
-- nobody. Explaining a score and freezing a period read them here and ask no measure again.
with directions as (
    select
        listed.data ->> 'code' as indicator_code,
        (listed.data ->> 'is_lower_better')::boolean as is_lower_better,
        (listed.data ->> 'is_told_by_rows')::boolean as is_told_by_rows
    from {{ ref('int_scoring__schemes') }} as schemes
    cross join lateral jsonb_array_elements(schemes.data -> 'indicators') as listed (data)
),

final as (
    select counted.*
    from {{ ref('int_scoring__indicator_cases') }} as counted
    inner join directions on counted.indicator_code = directions.indicator_code
    where
        counted.excluded_reason is not null
        or (
            directions.is_told_by_rows
            and case
                when directions.is_lower_better then counted.numerator_value > 0
                else counted.numerator_value < counted.denominator_value
            end
        )
)

select * from final
