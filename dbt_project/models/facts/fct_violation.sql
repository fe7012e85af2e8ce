-- One row per violation that the efficiency inspectorate established: 不处置, 逾期处置, 处置不当. Feeds tell them as events,
-- people enter them; one that was found on the unit itself has no case.
with told as (
    select
        events.event_id as violation_id,
        events.assignment_id,
        events.root_case_id as case_id,
        coalesce(assignments.unit_code, events.unit_code) as unit_code,
        coalesce(events.unit_name, assignments.unit_name_raw) as unit_name_raw,
        coalesce(events.reason_code, 'unstated') as violation_code,
        events.occurred_at as found_at,
        coalesce(assignments.dispatched_at, events.occurred_at) as held_at,
        events.batch_id as source_batch_id,
        events.row_number as source_row_number,
        null::text as entered_by
    from {{ ref('int_event__attached') }} as events
    left join {{ ref('int_assignment__opened') }} as assignments on events.assignment_id = assignments.assignment_id
    where events.event_type = 'VIOLATION'
),

entered as (
    select
        'violation:' || violations.violation_id as violation_id,
        violations.assignment_id,
        cases.root_case_id as case_id,
        violations.unit_code,
        null::text as unit_name_raw,
        violations.violation_code,
        violations.found_at,
        violations.found_at as held_at,
        null::bigint as source_batch_id,
        null::bigint as source_row_number,
        violations.entered_by
    from {{ ref('stg_violation') }} as violations
    left join {{ ref('int_case__rooted') }} as cases on violations.case_id = cases.case_id
    where violations.case_id is null or cases.case_id is not null
),

violations as (
    select * from told
    union all
    select * from entered
),

final as (
    select
        violations.violation_id,
        violations.assignment_id,
        violations.case_id,
        violations.unit_code,
        held.unit_key,
        violations.unit_name_raw,
        violations.violation_code,
        violations.found_at,
        violations.source_batch_id,
        violations.source_row_number,
        violations.entered_by
    from violations
    left join {{ ref('int_unit__held') }} as held on {{ held_at('held', 'violations.unit_code', 'violations.held_at') }}
    left join {{ source('touched', 'touched_case') }} as touched
        on violations.case_id = touched.case_id and touched.is_rebuilt
    where violations.case_id is null or touched.case_id is not null
)

select * from final
