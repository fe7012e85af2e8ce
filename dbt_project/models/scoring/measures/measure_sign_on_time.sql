-- Signed on time: one row per assignment that has a limit for signing.
with assignments as (
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
        'sign_on_time' as measure_code,
        'assignment' as subject_kind,
        assignments.assignment_id as subject_id,
        assignments.case_id,
        assignments.assignment_id,
        null::text as callback_id,
        assignments.unit_code,
        cases.received_at,
        assignments.dispatched_at,
        assignments.sign_due_at as due_at,
        assignments.closed_at,
        null::timestamptz as called_at,
        assignments.signed_at as occurred_at,
        (assignments.signed_at <= assignments.sign_due_at)::integer::numeric as numerator_value,
        1::numeric as denominator_value,
        coalesce(
            {{ assignment_exclusion('assignments', 'excluded_cases') }},
            {{ support_exclusion('assignments') }}
        ) as excluded_reason
    from assignments
    left join cases on assignments.case_id = cases.case_id
    left join excluded_cases on assignments.case_id = excluded_cases.case_id
    where assignments.sign_due_at is not null
)

select * from final
