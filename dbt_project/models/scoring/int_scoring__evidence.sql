-- The rows of the run being scored that fell short of what their indicator asks for, with by how much, and those that
-- count for nobody.
with directions as (
    select
        listed.data ->> 'code' as indicator_code,
        (listed.data ->> 'is_lower_better')::boolean as is_lower_better,
        (listed.data ->> 'is_told_by_rows')::boolean as is_told_by_rows
    from {{ ref('int_scoring__schemes') }} as schemes
    cross join lateral jsonb_array_elements(schemes.data -> 'indicators') as listed (data)
),

final as (
    select
        counted.*,
        case
            when counted.excluded_reason is not null then null
            when directions.is_lower_better then counted.numerator_value
            else counted.denominator_value - counted.numerator_value
        end as missed_by
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
