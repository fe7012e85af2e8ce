-- What was told to a unit: every dispatch, redispatch, further unit and rework. It opens an assignment, a unit × a
-- case × a round, unless the unit has that duty already (int_assignment__opened); the event is its identity, unit and
-- round are attributes. Rework that names no unit goes to the unit that had it last; whoever else was not named is
-- nobody that we know: after a return it is hardly the one that returned it.
with told as (
    select
        *,
        coalesce(unit_role, case event_type when 'ADD_UNIT' then 'support' when 'REWORK' then null else 'lead' end)
            as told_role
    from {{ ref('int_event__winning') }}
    where event_type in ('DISPATCH', 'REDISPATCH', 'ADD_UNIT', 'REWORK')
),

-- Rework that tells no role finds a unit in the one that it had; who had none, and who is not named, is the lead.
roles as (
    select
        *,
        case
            when told_role is not null then told_role
            when unit_ref is null then 'lead'
            else coalesce(first_value(told_role) over same_role, 'lead')
        end as opening_role
    from (
        select
            *,
            count(told_role) over moments_of_unit as roles_told
        from told
        window moments_of_unit as (
            partition by root_case_id, unit_ref
            order by occurred_at, event_rank, event_id
            rows unbounded preceding
        )
    ) as counted
    window same_role as (
        partition by root_case_id, unit_ref, roles_told order by occurred_at, event_rank, event_id
    )
),

openings as (
    select
        *,
        count(*) filter (where event_type = 'REWORK' and opening_role = 'lead') over moments as reworks,
        count(unit_ref) filter (where opening_role = 'lead') over moments as leads_named
    from roles
    window moments as (
        partition by root_case_id
        order by occurred_at, event_rank, opening_role, event_id
        rows unbounded preceding
    )
),

-- Whose the rework is that names no unit; the unit may have been renamed, merged or split since.
named as (
    select
        *,
        coalesce(
            unit_name,
            case when event_type = 'REWORK' and leads_named > 0 then first_value(unit_name) over same_lead end
        ) as lead_name,
        case when event_type = 'REWORK' and leads_named > 0 then first_value(unit_code) over same_lead end as lead_code
    from openings
    window same_lead as (
        partition by root_case_id, leads_named order by occurred_at, event_rank, opening_role, event_id
    )
),

final as (
    select
        named.assignment_id,
        named.root_case_id,
        named.case_id as dispatched_case_id,
        named.event_type as opened_by,
        case when named.unit_ref is null then coalesce(carried.unit_code, meant.unit_code) else named.unit_code end
            as unit_code,
        named.lead_name as unit_name_raw,
        coalesce(named.unit_ref, carried.unit_code, meant.unit_code, 'raw|' || named.lead_name) as unit_ref,
        named.opening_role as unit_role,
        count(*) over matter = 1 as is_only,
        -- under the readings of edition 2 it depends on the others what becomes of each (int_assignment__walked)
        max(coalesce(readings.edition, 1)) over matter > 1
        and (
            count(*) filter (where named.opening_role = 'lead') over matter > 1
            or (
                count(*) filter (where named.opening_role = 'support') over matter > 1
                and bool_or(named.opening_role = 'support' and named.event_type = 'REWORK') over matter
            )
        ) as is_walked,
        (named.reworks + 1)::integer as round,  -- rework of a support unit joins the lead's round
        named.occurred_at as dispatched_at,
        named.event_rank as opening_rank,
        coalesce(readings.edition, 1) as edition,
        case when coalesce(named.limit_kind, 'close') = 'close' then named.due_at end as ticket_due_at,
        case when named.limit_kind = 'sign' then named.due_at end as ticket_sign_due_at,
        case when named.limit_kind = 'contact' then named.due_at end as ticket_contact_due_at,
        named.batch_id,
        named.row_number
    from named
    left join {{ ref('stg_reading') }} as readings
        on
            {{ local_date('named.occurred_at') }} >= readings.valid_from
            and ({{ local_date('named.occurred_at') }} < readings.valid_to or readings.valid_to is null)
    left join {{ ref('stg_unit_name') }} as carried
        on
            named.unit_ref is null
            and {{ means_at('carried', 'coalesce(named.lead_code, named.lead_name)', 'named.occurred_at') }}
    -- of the parts of a unit that was split, the one whose name it is
    left join {{ ref('stg_unit_name') }} as meant
        on
            carried.unit_code is null
            and {{ share_a_unit('carried.unit_codes', 'meant.unit_code') }}
            and {{ means_at('meant', 'named.lead_name', 'named.occurred_at') }}
    window matter as (partition by named.root_case_id)
)

select * from final
