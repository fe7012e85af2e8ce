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
        schemes.scheme_id,
        schemes.scheme_version,
        schemes.period,
        counted.unit_code,
        counted.indicator_code,
        counted.subject_kind,
        counted.subject_id,
        counted.case_id,
        counted.assignment_id,
        counted.callback_id,
        counted.numerator_value,
        counted.denominator_value,
        counted.excluded_reason,
        counted.due_at,
        counted.occurred_at,
        case
            when counted.excluded_reason is not null then null
            when directions.is_lower_better then counted.numerator_value
            else counted.denominator_value - counted.numerator_value
        end as missed_by
    from {{ ref('counted_row') }} as counted
    cross join {{ ref('int_scoring__schemes') }} as schemes
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
