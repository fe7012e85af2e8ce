-- The rows of the run being scored that fell short of what their indicator asks for, with by how much, and those that
-- count for nobody.
with final as (
    select
        indicators.scheme_id,
        indicators.scheme_version,
        indicators.period,
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
            when indicators.is_lower_better then counted.numerator_value
            else counted.denominator_value - counted.numerator_value
        end as missed_by
    from {{ ref('counted_row') }} as counted
    inner join {{ ref('int_scoring__indicators') }} as indicators on counted.indicator_code = indicators.indicator_code
    where
        counted.excluded_reason is not null
        or (
            indicators.is_told_by_rows
            and case
                when indicators.is_lower_better then counted.numerator_value > 0
                else counted.numerator_value < counted.denominator_value
            end
        )
)

select * from final
