-- The limits that bind each assignment. The rule in force on the day of dispatch decides, for the unit as it was then;
-- the first rule that fits wins. A due date written on the ticket goes before any rule. A feed that the configuration
-- does not know is bound by its tickets alone.
with assignments as (
    select
        opened.*,
        cases.request_type,
        coalesce(cases.urgency, 'normal') as urgency,
        units.linkage_level,
        coalesce(feeds.limit_source, 'ticket') as limit_source,
        {{ local_date('opened.dispatched_at') }} as dispatched_on
    from {{ ref('int_assignment__opened') }} as opened
    inner join {{ ref('int_case__rooted') }} as cases on opened.dispatched_case_id = cases.case_id
    left join {{ ref('stg_feed') }} as feeds on cases.feed_code = feeds.feed_code
    left join {{ ref('stg_unit') }} as units
        on
            opened.unit_code = units.unit_code
            and {{ local_date('opened.dispatched_at') }} >= units.valid_from
            and ({{ local_date('opened.dispatched_at') }} < units.valid_to or units.valid_to is null)
),

situations as (
    select distinct
        request_type,
        urgency,
        linkage_level,
        dispatched_on
    from assignments
    where limit_source = 'rules'
),

rules as (
    select distinct on (
        situations.request_type, situations.urgency, situations.linkage_level, situations.dispatched_on,
        limits.limit_kind
    )
        situations.request_type,
        situations.urgency,
        situations.linkage_level,
        situations.dispatched_on,
        limits.limit_kind,
        limits.limit_rule,
        limits.unit,
        limits.amount,
        case limits.unit
            when 'minute' then limits.amount * interval '1 minute'
            when 'hour' then limits.amount * interval '1 hour'
            when 'day' then limits.amount * interval '1 day'
        end as natural_span,
        limits.starts,
        {{ end_of_day('last_day.date_on') }} as working_due_at
    from situations
    inner join {{ ref('stg_limit_rule') }} as limits
        on
            situations.dispatched_on >= limits.valid_from
            and (situations.dispatched_on < limits.valid_to or limits.valid_to is null)
            and (limits.request_types is null or limits.request_types ? situations.request_type)
            and (limits.urgencies is null or limits.urgencies ? situations.urgency)
            and (
                limits.linkage_levels is null
                or limits.linkage_levels @> to_jsonb(situations.linkage_level)
            )
    left join {{ ref('stg_calendar_day') }} as first_day on situations.dispatched_on = first_day.date_on
    left join {{ ref('stg_calendar_day') }} as last_day
        on
            limits.unit = 'workday'
            and last_day.is_workday
            and last_day.workday_no
            = first_day.workday_no + limits.amount
            - case when limits.starts = 'at_once' then first_day.is_workday::integer else 0 end
    order by
        situations.request_type, situations.urgency, situations.linkage_level, situations.dispatched_on,
        limits.limit_kind, limits.rule_no, limits.limit_rule
),

due as (
    select
        assignments.assignment_id,
        rules.limit_kind,
        rules.limit_rule,
        rules.unit,
        case
            when rules.unit = 'workday' then rules.working_due_at
            when rules.starts = 'next_day' then {{ end_of_day('assignments.dispatched_on') }} + rules.natural_span
            else assignments.dispatched_at + rules.natural_span
        end as due_at
    from assignments
    inner join rules
        on
            assignments.request_type is not distinct from rules.request_type
            and assignments.urgency = rules.urgency
            and assignments.linkage_level is not distinct from rules.linkage_level
            and assignments.dispatched_on = rules.dispatched_on
    where assignments.limit_source = 'rules'
),

final as (
    select
        assignments.assignment_id,
        coalesce(assignments.ticket_sign_due_at, sign.due_at) as sign_due_at,
        coalesce(assignments.ticket_contact_due_at, contact.due_at) as contact_due_at,
        coalesce(assignments.ticket_due_at, closing.due_at) as due_at,
        case when assignments.ticket_sign_due_at is null then sign.limit_rule else 'ticket' end as sign_limit_rule,
        case when assignments.ticket_contact_due_at is null then contact.limit_rule else 'ticket' end
            as contact_limit_rule,
        case when assignments.ticket_due_at is null then closing.limit_rule else 'ticket' end as limit_rule,
        case when closing.unit = 'workday' then 'working' else 'natural' end as clock
    from assignments
    left join due as sign on assignments.assignment_id = sign.assignment_id and sign.limit_kind = 'sign'
    left join due as contact on assignments.assignment_id = contact.assignment_id and contact.limit_kind = 'contact'
    left join due as closing on assignments.assignment_id = closing.assignment_id and closing.limit_kind = 'close'
)

select * from final
