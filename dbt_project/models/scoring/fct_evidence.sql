-- The rows behind the lost points: those that fell short of what the indicator asks for, and those that count for
-- nobody, with what each cost. Explaining a score and freezing a period read them here and ask no measure again.
with told as (
    select * from {{ ref('int_scoring__evidence') }}
),

counts as (
    select * from {{ ref('int_scoring__counts') }}
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

-- What a unit would have been counted without a row: rows that count alike are scored once.
without as (
    select
        counts.unit_code,
        counts.peer_group,
        counts.indicator_code,
        alike.numerator_value,
        alike.denominator_value,
        counts.numerator - alike.numerator_value as numerator,
        counts.denominator
        - case
            when terms.aggregate = 'share' then alike.numerator_value
            when terms.aggregate = 'per_10k' then 0
            else alike.denominator_value
        end as denominator,
        counts.is_external_denominator,
        null::numeric as quantile,
        null::numeric as entered
    from (
        select distinct
            unit_code,
            indicator_code,
            numerator_value,
            denominator_value
        from told
        where excluded_reason is null
    ) as alike
    inner join counts on alike.unit_code = counts.unit_code and alike.indicator_code = counts.indicator_code
    inner join {{ ref('int_scoring__terms') }} as terms
        on counts.peer_group = terms.peer_group and counts.indicator_code = terms.indicator_code
),

scored_without as (
    {{ scored_counts('without', ref('int_scoring__terms'), ['numerator_value', 'denominator_value']) }}
),

-- Of a median no single row moves it by itself, and a mean of shorter periods is not computed from its own rows.
worth as (
    select
        scored_without.unit_code,
        scored_without.indicator_code,
        scored_without.numerator_value,
        scored_without.denominator_value,
        case
            when not {{ is_mean_of_parts() }} and scored_without.aggregate not in ('median', 'p90')
                then scored_without.own_points - points.points
        end as marginal_points
    from scored_without
    inner join points
        on scored_without.unit_code = points.unit_code and scored_without.indicator_code = points.indicator_code
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
    left join worth
        on
            told.excluded_reason is null
            and told.unit_code = worth.unit_code
            and told.indicator_code = worth.indicator_code
            and told.numerator_value = worth.numerator_value
            and told.denominator_value = worth.denominator_value
)

select * from final
