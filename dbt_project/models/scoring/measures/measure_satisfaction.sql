-- Satisfied: one row per callback, whichever scale it was asked on.
with callbacks as (
    select * from {{ source('mart', 'fct_satisfaction') }}
),

assignments as (
    select * from {{ source('mart', 'fct_timeliness') }}
),

cases as (
    select * from {{ source('mart', 'fct_case') }}
),

excluded_cases as (
    {{ excluded_cases() }}
),

final as (
    select
        'satisfaction' as measure_code,
        'callback' as subject_kind,
        callbacks.callback_id as subject_id,
        callbacks.case_id,
        callbacks.assignment_id,
        callbacks.callback_id,
        callbacks.unit_code,
        cases.received_at,
        assignments.dispatched_at,
        coalesce(assignments.extended_due_at, assignments.due_at) as due_at,
        assignments.closed_at,
        callbacks.called_at,
        callbacks.called_at as occurred_at,
        (
            callbacks.satisfaction_code in ('very_satisfied', 'satisfied', 'basically_satisfied')
        )::integer::numeric as numerator_value,
        1::numeric as denominator_value,
        coalesce(
            {{ assignment_exclusion('assignments', 'excluded_cases') }},
            {{ support_exclusion('assignments') }},
            {{ unrated('callbacks', 'satisfaction_code', [
                'very_satisfied', 'satisfied', 'basically_satisfied', 'neutral', 'dissatisfied', 'very_dissatisfied'
            ]) }}
        ) as excluded_reason
    from callbacks
    left join cases on callbacks.case_id = cases.case_id
    left join excluded_cases on callbacks.case_id = excluded_cases.case_id
    left join assignments on callbacks.assignment_id = assignments.assignment_id
)

select * from final
