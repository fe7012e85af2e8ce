-- Assignments whose work was sent back, with the first time it was. Rework of a lead speaks of the round before it: of
-- the unit that it goes to, if that was a lead then, else of who had the case last. Rework of a support unit speaks of
-- its own work.
with assignments as (
    select
        opened.*,
        lived.voided_at,
        lived.is_superseded
    from {{ ref('int_assignment__opened') }} as opened
    inner join {{ ref('int_assignment__lived') }} as lived on opened.assignment_id = lived.assignment_id
),

sent_back as (
    select distinct on (reworks.assignment_id)
        reworks.assignment_id as rework_assignment_id,
        earlier.assignment_id,
        reworks.dispatched_at as reworked_at
    from assignments as reworks
    inner join assignments as earlier
        on
            reworks.root_case_id = earlier.root_case_id
            and reworks.unit_role = earlier.unit_role
            and (reworks.opened_at, reworks.opened_rank) > (earlier.opened_at, earlier.opened_rank)
    where
        reworks.opened_by = 'REWORK'
        and (earlier.voided_at is null or earlier.voided_at > reworks.dispatched_at)
        and (
            not earlier.is_superseded
            or (earlier.replaced_at, earlier.replaced_rank) >= (reworks.opened_at, reworks.opened_rank)
        )
        and (reworks.unit_role = 'lead' or reworks.unit_ref = earlier.unit_ref)
    order by
        reworks.assignment_id asc,
        earlier.round desc,
        (reworks.unit_ref is not distinct from earlier.unit_ref) desc,
        earlier.opened_at desc,
        earlier.opened_rank desc,
        earlier.opened_no asc,
        earlier.assignment_id asc
),

final as (
    select
        assignment_id,
        min(reworked_at) as reworked_at
    from sent_back
    group by assignment_id
)

select * from final
