-- One row per violation that the efficiency inspectorate established: 不处置, 逾期处置, 处置不当.
with final as (
    select
        events.event_id as violation_id,
        events.assignment_id,
        events.root_case_id as case_id,
        coalesce(assignments.unit_code, events.unit_code) as unit_code,
        coalesce(events.unit_name, assignments.unit_name_raw) as unit_name_raw,
        coalesce(events.reason_code, 'unstated') as violation_code,
        events.occurred_at as found_at,
        events.batch_id as source_batch_id,
        events.row_number as source_row_number
    from {{ ref('int_event__attached') }} as events
    inner join {{ source('touched', 'touched_case') }} as touched
        on events.root_case_id = touched.case_id and touched.is_rebuilt
    left join {{ ref('int_assignment__opened') }} as assignments on events.assignment_id = assignments.assignment_id
    where events.event_type = 'VIOLATION'
)

select * from final
