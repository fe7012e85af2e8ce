-- One row per assignment. Flags stay null while their moment has not come: a stored "late" would go stale, so lateness
-- of what is still open is judged when a period is scored, as of its end.
with touched as (
    select * from {{ source('touched', 'touched_case') }}
    where is_rebuilt
),

assignments as (
    select
        opened.assignment_id,
        opened.root_case_id as case_id,
        opened.unit_code,
        opened.unit_name_raw,
        opened.unit_role,
        opened.round,
        opened.dispatched_at,
        limited.sign_due_at,
        lived.signed_at,
        limited.contact_due_at,
        lived.contacted_at,
        limited.due_at,
        lived.closed_at,
        lived.voided_at,
        lived.void_reason,
        limited.clock,
        limited.is_sign_provisional or limited.is_contact_provisional as is_other_provisional,
        limited.is_provisional,
        limited.sign_limit_rule,
        limited.contact_limit_rule,
        limited.limit_rule,
        lived.return_request_count,
        lived.return_deny_count,
        lived.extension_count,
        lived.urge_count,
        lived.urged_at,
        lived.supervise_count,
        lived.supervised_at,
        lived.review_back_count,
        lived.sent_back_at,
        opened.batch_id as dispatch_batch_id,
        opened.row_number as dispatch_row_number,
        lived.sign_batch_id,
        lived.sign_row_number,
        lived.close_batch_id,
        lived.close_row_number
    from touched
    inner join {{ ref('int_assignment__opened') }} as opened on touched.case_id = opened.root_case_id
    inner join {{ ref('int_assignment__lived') }} as lived on opened.assignment_id = lived.assignment_id
    inner join {{ ref('int_assignment__limited') }} as limited on opened.assignment_id = limited.assignment_id
),

excluded as (
    select distinct on (assignment_id)
        assignment_id,
        reason_code
    from {{ ref('int_case__excluded') }}
    where assignment_id is not null and indicator_codes is null
    order by assignment_id asc, decided_at desc, exclusion_id asc
),

in_force as (
    select
        assignments.*,
        extended.extended_due_at,
        case when extended.assignment_id is null then assignments.due_at else extended.extended_due_at end
            as due_in_force_at,
        coalesce(extended.is_provisional, assignments.is_provisional) as is_in_force_provisional,
        reworked.reworked_at
    from assignments
    left join {{ ref('int_assignment__extended') }} as extended on assignments.assignment_id = extended.assignment_id
    left join {{ ref('int_assignment__reworked') }} as reworked on assignments.assignment_id = reworked.assignment_id
),

final as (
    select
        in_force.assignment_id,
        in_force.case_id,
        in_force.unit_code,
        in_force.unit_name_raw,
        in_force.unit_role,
        in_force.round,
        in_force.dispatched_at,
        in_force.sign_due_at,
        in_force.signed_at,
        in_force.contact_due_at,
        in_force.contacted_at,
        in_force.due_at,
        in_force.extended_due_at,
        in_force.due_in_force_at,
        in_force.closed_at,
        in_force.voided_at,
        in_force.void_reason,
        excluded.assignment_id is not null as is_excluded,
        excluded.reason_code as exclusion_reason,
        in_force.clock,
        in_force.is_other_provisional or in_force.is_in_force_provisional as is_calendar_provisional,
        in_force.due_in_force_at is null and in_force.is_in_force_provisional as is_limit_unknown,
        in_force.signed_at <= in_force.sign_due_at as is_signed_on_time,
        in_force.contacted_at <= in_force.contact_due_at as is_contacted_on_time,
        -- in time by the first limit is in time, even where the calendar does not reach to the extended one
        coalesce(
            in_force.closed_at <= in_force.due_in_force_at,
            nullif(in_force.closed_at <= in_force.due_at, false)
        ) as is_closed_on_time,
        {{ working_minutes_between('in_force.dispatched_at', 'dispatched_day', 'in_force.closed_at', 'closed_day') }}
            as working_minutes_to_close,
        floor({{ minutes_of('in_force.closed_at - in_force.dispatched_at') }})::integer as natural_minutes_to_close,
        in_force.return_request_count,
        in_force.return_deny_count,
        in_force.extension_count,
        in_force.urge_count,
        in_force.urged_at,
        in_force.supervise_count,
        in_force.supervised_at,
        in_force.review_back_count,
        in_force.sent_back_at,
        in_force.reworked_at,
        in_force.sign_limit_rule,
        in_force.contact_limit_rule,
        in_force.limit_rule,
        in_force.dispatch_batch_id,
        in_force.dispatch_row_number,
        in_force.sign_batch_id,
        in_force.sign_row_number,
        in_force.close_batch_id,
        in_force.close_row_number
    from in_force
    left join excluded on in_force.assignment_id = excluded.assignment_id
    left join {{ ref('stg_calendar_day') }} as closed_day
        on {{ local_date('in_force.closed_at') }} = closed_day.date_on
    left join {{ ref('stg_calendar_day') }} as dispatched_day
        on {{ local_date('in_force.dispatched_at') }} = dispatched_day.date_on
)

select * from final
