-- One row per event of a case that stands: delivered by itself, or a milestone on the case's own row. What was told of
-- it beside that and does not count is audit.event_version.
with touched as (
    select * from {{ source('touched', 'touched_case') }}
    where is_rebuilt
),

events as (
    select winning.*
    from touched
    inner join {{ ref('int_event__winning') }} as winning on touched.case_id = winning.case_id
),

final as (
    select
        events.event_id,
        events.case_id,
        events.root_case_id,
        coalesce(attached.assignment_id, opened.assignment_id) as assignment_id,
        events.event_type,
        events.occurred_at,
        events.occurred_precision,
        events.unit_code,
        held.unit_key,
        events.unit_name as unit_name_raw,
        events.unit_role,
        events.due_at,
        events.limit_kind,
        events.result_code,
        events.reason_code,
        events.source,
        events.source = 'record' as is_milestone,
        events.batch_id as source_batch_id,
        events.row_number as source_row_number
    from events
    left join {{ ref('int_event__attached') }} as attached on events.event_id = attached.event_id
    left join {{ ref('int_assignment__opened') }} as opened on events.assignment_id = opened.assignment_id
    left join {{ ref('int_unit__held') }} as held on {{ held_at('held', 'events.unit_code', 'events.occurred_at') }}
)

select * from final
