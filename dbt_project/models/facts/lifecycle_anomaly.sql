-- Events that the life-cycle does not allow where they stand, with what was made of each. docs/lifecycle.md explains
-- the codes. They break no build: the models before this one have dealt with them already.
with effects (anomaly_code, effect_on_clock) as (
    values
    ('after_end', 'Not counted: another duty had taken the place of this one.'),
    ('after_void', 'Not counted: what was void counts against nobody.'),
    ('before_dispatch', 'Not counted: signature, contact and close are awaited after the dispatch.'),
    ('closed_again', 'None: the first close that review did not send back counts.'),
    ('dispatched_again', 'None: the duty that the unit has keeps its clock and its limit.'),
    ('dispatched_after_end', 'The new assignment has its own clock; the end voids only what was open when it fell.'),
    ('extension_asked_late', 'Not counted: the limit that had passed stands.'),
    ('extension_request_not_told', 'Not counted: nobody told that it was asked for before the limit passed.'),
    ('lead_over_open_lead', 'Both run, each on its own clock, until each ends.'),
    ('merge_target_unknown', 'Voids what was open, like any merge; merged_into_case_id stays empty.'),
    ('return_after_close', 'The return voids the assignment all the same.'),
    ('return_after_designation', 'Invalid: the assignment stands and its clock runs on.'),
    ('return_request_not_told', 'The return voids the assignment, whenever it was asked for.'),
    ('returned_outside_window', 'The return voids the assignment all the same.'),
    ('review_back_before_close', 'None: the next close counts.'),
    ('sign_after_close', 'The signature counts at its own time; the close is not changed.'),
    ('unit_never_dispatched', 'None: it opens, signs, closes and voids nothing.')
),

assignments as (
    select
        opened.assignment_id,
        opened.root_case_id,
        opened.unit_role,
        opened.dispatched_at,
        opened.opening_rank,
        timeliness.signed_at,
        timeliness.closed_at,
        timeliness.voided_at,
        timeliness.void_reason,
        timeliness.due_at,
        timeliness.due_in_force_at,
        opened.replaced_at,
        opened.replaced_rank,
        opened.taken_over_at,
        lived.designated_at,
        lived.first_closed_at
    from {{ ref('int_assignment__opened') }} as opened
    inner join {{ ref('int_assignment__lived') }} as lived on opened.assignment_id = lived.assignment_id
    inner join {{ ref('fct_timeliness') }} as timeliness on opened.assignment_id = timeliness.assignment_id
),

-- Grants of extensions, and whether the request that each answers was told, or is never told by that hotline.
asking as (
    select
        told.event_id,
        coalesce(told.type_before = 'EXTEND_REQUEST', false) or coalesce(feeds.extension_requests = 'not_told', false)
            as is_asking_told
    from (
        select
            event_id,
            case_id,
            event_type,
            lag(event_type) over (
                partition by assignment_id order by occurred_at, event_rank, event_id
            ) as type_before
        from {{ ref('int_event__attached') }}
        where event_type in ('EXTEND_REQUEST', 'EXTEND_DENY', 'EXTEND_GRANT')
    ) as told
    inner join {{ ref('int_case__rooted') }} as cases on told.case_id = cases.case_id
    left join {{ ref('stg_feed') }} as feeds on cases.feed_code = feeds.feed_code
    where told.event_type = 'EXTEND_GRANT'
),

attached as (
    select
        events.*,
        assignments.dispatched_at,
        assignments.closed_at,
        assignments.voided_at,
        assignments.void_reason,
        assignments.due_at as limit_due_at,
        assignments.due_in_force_at,
        assignments.designated_at,
        assignments.first_closed_at,
        coalesce(
            (events.counted_at, events.counted_rank) > (assignments.replaced_at, assignments.replaced_rank), false
        ) as is_after_end,
        events.counted_at < assignments.dispatched_at - city.clock_tolerance as is_before_dispatch,
        asking.is_asking_told,
        returned.is_outside_window,
        returned.is_request_untold
    from {{ ref('int_event__attached') }} as events
    inner join assignments on events.assignment_id = assignments.assignment_id
    cross join {{ ref('stg_city') }} as city
    left join asking on events.event_id = asking.event_id
    left join {{ ref('int_assignment__returned') }} as returned
        on
            events.assignment_id = returned.assignment_id
            and events.event_type = 'RETURN_GRANT'
            and greatest(events.counted_at, assignments.dispatched_at) = assignments.voided_at
),

of_assignments as (
    select
        event_id,
        assignment_id,
        root_case_id,
        event_type,
        occurred_at,
        unit_code,
        unit_name,
        batch_id,
        row_number,
        case
            when event_type in ('SIGN', 'FIRST_CONTACT', 'CLOSE', 'RETURN_GRANT') and is_before_dispatch
                then 'before_dispatch'
            when event_type in ('RETURN_REQUEST', 'RETURN_GRANT') and coalesce(is_barred, occurred_at > designated_at)
                then 'return_after_designation'
            when event_type in ('SIGN', 'FIRST_CONTACT', 'CLOSE') and occurred_at > voided_at
                then 'after_void'
            when event_type in ('SIGN', 'FIRST_CONTACT', 'CLOSE', 'REVIEW_BACK') and is_after_end
                then 'after_end'
            when event_type = 'SIGN' and occurred_at > closed_at
                then 'sign_after_close'
            when event_type = 'CLOSE' and counted_at > closed_at
                then 'closed_again'
            when event_type = 'RETURN_GRANT' and void_reason = 'returned' and closed_at < voided_at
                then 'return_after_close'
            when is_outside_window
                then 'returned_outside_window'
            when is_request_untold
                then 'return_request_not_told'
            when event_type = 'REVIEW_BACK' and (first_closed_at is null or first_closed_at > occurred_at)
                then 'review_back_before_close'
            when
                event_type = 'EXTEND_REQUEST'
                and occurred_at > limit_due_at
                and occurred_at > due_in_force_at
                then 'extension_asked_late'
            when
                event_type = 'EXTEND_GRANT'
                and not is_asking_told
                and occurred_at > limit_due_at
                and occurred_at > due_in_force_at
                then 'extension_request_not_told'
        end as anomaly_code
    from attached
),

dispatched_cases as (
    select distinct root_case_id from assignments
),

-- A close on a case that was never dispatched is the hotline's own answer, and pressing is pressing the hotline.
of_strangers as (
    select
        events.event_id,
        null::text as assignment_id,
        events.root_case_id,
        events.event_type,
        events.occurred_at,
        events.unit_code,
        events.unit_name,
        events.batch_id,
        events.row_number,
        'unit_never_dispatched' as anomaly_code
    from {{ ref('int_event__attached') }} as events
    left join dispatched_cases on events.root_case_id = dispatched_cases.root_case_id
    where
        events.assignment_id is null
        and (
            dispatched_cases.root_case_id is not null
            or events.event_type not in ('CLOSE', 'URGE', 'SUPERVISE')
        )
),

openings as (
    select * from {{ ref('int_event__winning') }}
    where event_type in ('DISPATCH', 'REDISPATCH', 'ADD_UNIT', 'REWORK')
),

leads as (
    select
        *,
        lag(assignment_id) over in_order as earlier_assignment_id,
        least(
            lag(closed_at) over in_order, lag(voided_at) over in_order, lag(replaced_at) over in_order
        ) as earlier_ended_at
    from assignments
    where unit_role = 'lead'
    window in_order as (partition by root_case_id order by dispatched_at, opening_rank, assignment_id)
),

of_leads as (
    select
        openings.event_id,
        leads.assignment_id,
        openings.root_case_id,
        openings.event_type,
        openings.occurred_at,
        openings.unit_code,
        openings.unit_name,
        openings.batch_id,
        openings.row_number,
        'lead_over_open_lead' as anomaly_code
    from leads
    inner join openings on leads.assignment_id = openings.assignment_id
    where
        leads.earlier_assignment_id is not null
        and leads.taken_over_at is null
        and (leads.earlier_ended_at is null or leads.earlier_ended_at > leads.dispatched_at)
),

-- What told a unit again what it had, with the duty that stood and both limits.
of_retold as (
    select
        openings.event_id,
        duties.assignment_id,
        openings.root_case_id,
        openings.event_type,
        openings.occurred_at,
        openings.unit_code,
        openings.unit_name,
        openings.batch_id,
        openings.row_number,
        'dispatched_again' as anomaly_code
    from openings
    inner join {{ ref('int_assignment__walked') }} as walked
        on
            openings.assignment_id = walked.assignment_id
            and walked.kind = 'dispatch'
            and (not walked.is_opened or walked.taken_over_at is not null)
    inner join {{ ref('int_assignment__retold') }} as retold
        on
            openings.assignment_id = retold.told_id
            and {{ stands_in('openings.occurred_at', 'openings.event_rank', 'retold') }}
    inner join assignments as duties on retold.assignment_id = duties.assignment_id
),

ends as (
    select
        root_case_id,
        min(occurred_at) as ended_at
    from {{ ref('int_event__winning') }}
    where event_type in ('MERGE', 'TERMINATE', 'TRANSFER_EMERGENCY', 'REJECT_INTAKE')
    group by root_case_id
),

of_ends as (
    select
        openings.event_id,
        assignments.assignment_id,
        openings.root_case_id,
        openings.event_type,
        openings.occurred_at,
        openings.unit_code,
        openings.unit_name,
        openings.batch_id,
        openings.row_number,
        'dispatched_after_end' as anomaly_code
    from assignments
    inner join ends on assignments.root_case_id = ends.root_case_id and assignments.dispatched_at > ends.ended_at
    inner join openings on assignments.assignment_id = openings.assignment_id
),

of_merges as (
    select
        events.event_id,
        null::text as assignment_id,
        events.root_case_id,
        events.event_type,
        events.occurred_at,
        events.unit_code,
        events.unit_name,
        events.batch_id,
        events.row_number,
        'merge_target_unknown' as anomaly_code
    from {{ ref('int_event__winning') }} as events
    inner join {{ ref('int_case__decided') }} as decided on events.case_id = decided.case_id
    where events.event_type = 'MERGE' and decided.merged_into_case_id is null
),

anomalies as (
    select * from of_assignments
    where anomaly_code is not null
    union all
    select * from of_strangers
    union all
    select * from of_leads
    union all
    select * from of_retold
    union all
    select * from of_ends
    union all
    select * from of_merges
),

final as (
    select
        anomalies.anomaly_code,
        anomalies.event_id,
        anomalies.root_case_id as case_id,
        anomalies.assignment_id,
        anomalies.event_type,
        anomalies.occurred_at,
        anomalies.unit_code,
        anomalies.unit_name as unit_name_raw,
        effects.effect_on_clock,
        case when anomalies.anomaly_code = 'dispatched_again' then told.due_at end as told_due_at,
        case when anomalies.anomaly_code = 'dispatched_again' then standing.due_in_force_at end as standing_due_at,
        anomalies.batch_id,
        anomalies.row_number
    from anomalies
    inner join effects on anomalies.anomaly_code = effects.anomaly_code
    left join openings as told on anomalies.event_id = told.event_id
    left join assignments as standing on anomalies.assignment_id = standing.assignment_id
    inner join {{ source('touched', 'touched_case') }} as touched
        on anomalies.root_case_id = touched.case_id and touched.is_rebuilt
)

select * from final
