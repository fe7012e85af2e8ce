-- The rows behind the lost points: those that fell short of what the indicator asks for, and those that count for
-- nobody, with what each cost. Explaining a score and freezing a period read them here and ask no measure again.
with told as (
    select * from {{ ref('int_scoring__evidence') }}
),

points as (
    select
        unit_code,
        indicator_code,
        points,
        coalesce(greatest(points_max - points, 0), 0) as lost
    from {{ ref('fct_unit_indicator') }}
),

-- A loss in whole steps of 0.01, or of its last decimal, over all that its rows missed.
weighed as (
    select
        told.unit_code,
        told.indicator_code,
        told.subject_kind,
        told.subject_id,
        told.missed_by,
        greatest(scale(points.lost), 2) as decimals,
        points.lost * 10::numeric ^ greatest(scale(points.lost), 2) as steps,
        sum(told.missed_by) over (partition by told.unit_code, told.indicator_code) as weight
    from told
    inner join points on told.unit_code = points.unit_code and told.indicator_code = points.indicator_code
    where told.excluded_reason is null
),

floored as (
    select
        *,
        div(steps * missed_by, weight) as whole,
        mod(steps * missed_by, weight) as remainder
    from weighed
),

-- What is left goes to the largest remainders, ties by id: the parts sum to the loss.
split as (
    select
        *,
        steps - sum(whole) over (partition by unit_code, indicator_code) as left_over,
        row_number() over (
            partition by unit_code, indicator_code order by remainder desc, subject_id collate "C" asc
        ) as place
    from floored
),

final as (
    select
        told.scheme_id,
        told.scheme_version,
        told.period,
        told.unit_code,
        told.indicator_code,
        told.subject_kind,
        told.subject_id,
        told.case_id,
        told.assignment_id,
        told.callback_id,
        told.numerator_value,
        told.denominator_value,
        told.excluded_reason,
        told.due_at,
        told.occurred_at,
        round(
            (split.whole + (split.place <= split.left_over)::integer) / 10::numeric ^ split.decimals, split.decimals
        ) as lost_points,
        worth.marginal_points
    from told
    left join split
        on
            told.unit_code = split.unit_code
            and told.indicator_code = split.indicator_code
            and told.subject_kind = split.subject_kind
            and told.subject_id = split.subject_id
    left join {{ source('scored', 'row_worth') }} as worth
        on
            told.excluded_reason is null
            and told.unit_code = worth.unit_code
            and told.indicator_code = worth.indicator_code
            and told.numerator_value = worth.numerator_value
            and told.denominator_value = worth.denominator_value
)

select * from final
