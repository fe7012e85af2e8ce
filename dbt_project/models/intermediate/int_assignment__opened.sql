-- One row per assignment: a unit × a case × a round. What was told a unit that had the duty already opens none; what
-- took over from another hotline's word begins with that.
with supports as (
    select
        assignment_id,
        root_case_id,
        unit_ref,
        edition,
        opened_by,
        dispatched_at,
        opening_rank,
        count(*) filter (where opened_by = 'REWORK') over (
            partition by root_case_id, unit_ref order by dispatched_at, opening_rank, assignment_id
        ) as reworks
    from {{ ref('int_assignment__told') }}
    where unit_role = 'support' and not is_only and unit_ref is not null
),

-- Rework of a support unit takes the place of what that unit had.
reworked_supports as (
    select
        supports.assignment_id,
        rework.assignment_id as superseded_by,
        rework.dispatched_at as replaced_at,
        rework.opening_rank as replaced_rank
    from supports
    inner join supports as rework
        on
            supports.root_case_id = rework.root_case_id
            and supports.unit_ref = rework.unit_ref
            and supports.reworks + 1 = rework.reworks
            and rework.opened_by = 'REWORK'
    where supports.edition > 1
),

final as (
    select
        told.assignment_id,
        told.root_case_id,
        told.dispatched_case_id,
        told.opened_by,
        told.unit_code,
        told.unit_name_raw,
        told.unit_ref,
        told.unit_role,
        told.round,
        told.edition,
        coalesce(related.dispatched_at, told.dispatched_at) as dispatched_at,
        coalesce(related.opening_rank, told.opening_rank) as opening_rank,
        -- when another duty takes the place of this one, or did while it was closed: from then on nothing counts here
        coalesce(related.replaced_at, supports.replaced_at) as replaced_at,
        coalesce(related.replaced_rank, supports.replaced_rank) as replaced_rank,
        coalesce(related.superseded_by, supports.superseded_by) as superseded_by,
        -- of matters with several dispatches to a lead it is known whose word a return takes back
        related.is_taken_over,
        related.edition > 1 as has_related_returns,
        related.returned_at,
        -- a date that passed before the duty was taken over binds nobody
        case when taken.over_at is null or told.ticket_due_at > taken.over_at then told.ticket_due_at end
            as ticket_due_at,
        case when taken.over_at is null or told.ticket_sign_due_at > taken.over_at then told.ticket_sign_due_at end
            as ticket_sign_due_at,
        case
            when taken.over_at is null or told.ticket_contact_due_at > taken.over_at then told.ticket_contact_due_at
        end as ticket_contact_due_at,
        told.batch_id,
        told.row_number
    from {{ ref('int_assignment__told') }} as told
    left join {{ ref('int_assignment__related') }} as related on told.assignment_id = related.assignment_id
    left join reworked_supports as supports on told.assignment_id = supports.assignment_id
    cross join
        lateral (  -- noqa: ST05
            select case when related.is_taken_over then related.opened_at end as over_at
        ) as taken
    where coalesce(related.is_opened, true)
)

select * from final
