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
        opened.edition,
        opened.dispatched_at,
        limited.sign_due_at,
        lived.signed_at,
        limited.contact_due_at,
        lived.contacted_at,
        limited.due_at,
        lived.closed_at,
        lived.voided_at,
        lived.void_reason,
        lived.ended_at,
        lived.end_reason,
        lived.superseded_by,
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
        lived.closes,
        lived.reviews,
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
    select distinct on (opened.assignment_id)
        opened.assignment_id,
        told.reason_code
    from {{ ref('int_case__excluded') }} as told
    inner join {{ ref('int_assignment__opened') }} as opened
        on
            told.case_id = opened.root_case_id
            and (told.assignment_id is null or told.assignment_id = opened.assignment_id)
    where told.indicator_codes is null
    order by opened.assignment_id asc, told.assignment_id asc, told.decided_at desc, told.exclusion_id asc
),

in_force as (
    select
        assignments.*,
        extended.extended_due_at,
        case when extended.assignment_id is null then assignments.due_at else extended.extended_due_at end
            as due_in_force_at,
        coalesce(extended.is_provisional, assignments.is_provisional) as is_in_force_provisional,
        coalesce(returned.is_late, false) as is_late_at_return,
        reworked.reworked_at
    from assignments
    left join {{ ref('int_assignment__returned') }} as returned on assignments.assignment_id = returned.assignment_id
    left join {{ ref('int_assignment__extended') }} as extended on assignments.assignment_id = extended.assignment_id
    left join {{ ref('int_assignment__reworked') }} as reworked on assignments.assignment_id = reworked.assignment_id
),

-- What was told as a day has no time of day.
days as (
    select distinct
        root_case_id,
        event_type,
        occurred_at,
        case when event_type <> 'CLOSE' then assignment_id end as opened_id
    from {{ ref('int_event__winning') }}
    where occurred_precision = 'day' and event_type in ('DISPATCH', 'REDISPATCH', 'ADD_UNIT', 'REWORK', 'CLOSE')
),

known as (
    select
        *,
        due_in_force_at is null and is_in_force_provisional as is_limit_unknown,
        -- in time by the first limit is in time, even where the calendar does not reach to the extended one
        case when due_in_force_at is null and is_in_force_provisional then due_at else due_in_force_at end
            as judged_due_at
    from in_force
),

-- Of what review sent back, the last review before the limit, and the first close after that.
reviewed as (
    select
        known.assignment_id,
        max(reviews.told::timestamptz) filter (where reviews.told::timestamptz < known.judged_due_at) as reviewed_at
    from known
    cross join lateral jsonb_array_elements_text(known.reviews) as reviews (told)
    where known.edition > 1 and known.review_back_count > 0
    group by known.assignment_id
),

stood as (
    select
        known.assignment_id,
        greatest(min(closes.told::timestamptz), known.dispatched_at) as closed_at
    from known
    inner join reviewed on known.assignment_id = reviewed.assignment_id
    cross join lateral jsonb_array_elements_text(known.closes) as closes (told)
    where
        greatest(closes.told::timestamptz, known.dispatched_at) <= known.judged_due_at
        and (reviewed.reviewed_at is null or closes.told::timestamptz > reviewed.reviewed_at)
    group by known.assignment_id, known.dispatched_at
),

-- The close that stood when the limit passed; of what is void it counts if no review sent it back.
judged as (
    select
        known.*,
        case
            when reviewed.assignment_id is not null and known.voided_at is null then stood.closed_at
            when known.closed_at <= known.judged_due_at then known.closed_at
        end as closed_in_time_at,
        known.is_late_at_return and case
            when reviewed.assignment_id is not null then stood.closed_at is null
            else known.closed_at > known.judged_due_at or known.closed_at is null
        end as is_late_since_limit
    from known
    left join reviewed on known.assignment_id = reviewed.assignment_id
    left join stood on known.assignment_id = stood.assignment_id
),

final as (
    select
        judged.assignment_id,
        judged.case_id,
        judged.unit_code,
        held.unit_key,
        judged.unit_name_raw,
        judged.unit_role,
        judged.round,
        judged.dispatched_at,
        {{ local_date('judged.dispatched_at') }} as dispatched_on,
        judged.sign_due_at,
        judged.signed_at,
        judged.contact_due_at,
        judged.contacted_at,
        judged.due_at,
        judged.extended_due_at,
        judged.due_in_force_at,
        {{ local_date("judged.due_in_force_at - interval '1 microsecond'") }} as due_on,
        judged.closed_at,
        {{ local_date('judged.closed_at') }} as closed_on,
        judged.closed_in_time_at,
        case when closed.root_case_id is not null then 'day' end as closed_precision,
        judged.voided_at,
        judged.void_reason,
        judged.is_late_since_limit as is_late_at_return,
        judged.ended_at,
        judged.end_reason,
        judged.superseded_by as superseded_by_assignment_id,
        excluded.assignment_id is not null as is_excluded,
        excluded.reason_code as exclusion_reason,
        judged.clock,
        judged.is_other_provisional or judged.is_in_force_provisional as is_calendar_provisional,
        judged.is_limit_unknown,
        judged.signed_at <= judged.sign_due_at as is_signed_on_time,
        judged.contacted_at <= judged.contact_due_at as is_contacted_on_time,
        case
            when judged.closed_in_time_at is not null then true
            when judged.due_in_force_at is null then null
            when
                judged.is_late_since_limit
                or judged.closed_at is not null
                or (judged.end_reason = 'superseded' and judged.ended_at > judged.due_in_force_at)
                then false
        end as is_closed_on_time,
        case when told.has_times then {{
            working_minutes_between('judged.dispatched_at', 'dispatched_day', 'judged.closed_at', 'closed_day')
        }} end as working_minutes_to_close,
        case when told.has_times then floor({{ minutes_of('judged.closed_at - judged.dispatched_at') }})::integer end
            as natural_minutes_to_close,
        judged.return_request_count,
        judged.return_deny_count,
        judged.extension_count,
        judged.urge_count,
        judged.urged_at,
        judged.supervise_count,
        judged.supervised_at,
        judged.review_back_count,
        judged.sent_back_at,
        judged.reworked_at,
        judged.sign_limit_rule,
        judged.contact_limit_rule,
        judged.limit_rule,
        judged.dispatch_batch_id,
        judged.dispatch_row_number,
        judged.sign_batch_id,
        judged.sign_row_number,
        judged.close_batch_id,
        judged.close_row_number
    from judged
    left join {{ ref('int_unit__held') }} as held on {{ held_at('held', 'judged.unit_code', 'judged.dispatched_at') }}
    left join excluded on judged.assignment_id = excluded.assignment_id
    left join days as closed
        on
            judged.case_id = closed.root_case_id
            and closed.event_type = 'CLOSE'
            and judged.closed_at = closed.occurred_at
    left join days as dispatched on judged.assignment_id = dispatched.opened_id
    cross join
        lateral (  -- noqa: ST05
            select closed.root_case_id is null and dispatched.root_case_id is null as has_times
        ) as told
    left join {{ ref('stg_calendar_day') }} as closed_day
        on {{ local_date('judged.closed_at') }} = closed_day.date_on
    left join {{ ref('stg_calendar_day') }} as dispatched_day
        on {{ local_date('judged.dispatched_at') }} = dispatched_day.date_on
)

select * from final
