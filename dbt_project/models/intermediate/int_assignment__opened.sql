-- One row per assignment: a unit × a case × a round. Dispatch, redispatch, a further unit and rework open one; that
-- event is its identity, unit and round are attributes. Rework that names no unit goes to the unit that had it last.
with openings as (
    select
        *,
        count(*) filter (where event_type = 'REWORK' and opening_role = 'lead') over moments as reworks,
        count(unit_ref) filter (where opening_role = 'lead') over moments as leads_named
    from (
        select
            *,
            coalesce(unit_role, case when event_type = 'ADD_UNIT' then 'support' else 'lead' end) as opening_role
        from {{ ref('int_event__winning') }}
        where event_type in ('DISPATCH', 'REDISPATCH', 'ADD_UNIT', 'REWORK')
    ) as roles
    window moments as (
        partition by root_case_id
        order by occurred_at, event_rank, opening_role, event_id
        rows unbounded preceding
    )
),

final as (
    select
        openings.assignment_id,
        openings.root_case_id,
        openings.case_id as dispatched_case_id,
        openings.event_type as opened_by,
        case
            when openings.unit_ref is not null then openings.unit_code
            else first_value(openings.unit_code) over same_lead
        end as unit_code,
        coalesce(openings.unit_name, first_value(openings.unit_name) over same_lead) as unit_name_raw,
        coalesce(openings.unit_ref, first_value(openings.unit_ref) over same_lead) as unit_ref,
        openings.opening_role as unit_role,
        (openings.reworks + 1)::integer as round,  -- rework of a support unit joins the lead's round
        openings.occurred_at as dispatched_at,
        openings.event_rank as opening_rank,
        case when coalesce(openings.limit_kind, 'close') = 'close' then openings.due_at end as ticket_due_at,
        case when openings.limit_kind = 'sign' then openings.due_at end as ticket_sign_due_at,
        case when openings.limit_kind = 'contact' then openings.due_at end as ticket_contact_due_at,
        openings.batch_id,
        openings.row_number
    from openings
    window same_lead as (
        partition by openings.root_case_id, openings.leads_named
        order by openings.occurred_at, openings.event_rank, openings.opening_role, openings.event_id
    )
)

select * from final
