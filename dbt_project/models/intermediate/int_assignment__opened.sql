-- One row per assignment: a unit × a case × a round. What was told a unit that had the duty already opens none; what
-- took over from another hotline's word begins with that.
with final as (
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
        coalesce(walked.edition, told.edition) as edition,
        coalesce(walked.dispatched_at, told.dispatched_at) as dispatched_at,
        coalesce(walked.opening_rank, told.opening_rank) as opening_rank,
        -- what took over from another hotline's word begins with that, and is there from a later moment on
        coalesce(walked.opened_at, told.dispatched_at) as opened_at,
        coalesce(walked.opened_rank, told.opening_rank) as opened_rank,
        walked.duty_no as opened_no,  -- of several that were opened at one moment
        walked.taken_over_at,
        -- when another duty takes the place of this one, or did while it was closed: from then on nothing counts here
        walked.replaced_at,
        walked.replaced_rank,
        walked.superseded_by,
        -- of matters with several dispatches to a lead it is known whose word a return takes back
        walked.assignment_id is not null as has_walked_returns,
        walked.returned_at,
        -- a date that passed before the duty was taken over binds nobody
        case when walked.taken_over_at is null or told.ticket_due_at > walked.taken_over_at then told.ticket_due_at end
            as ticket_due_at,
        case
            when walked.taken_over_at is null or told.ticket_sign_due_at > walked.taken_over_at
                then told.ticket_sign_due_at
        end as ticket_sign_due_at,
        case
            when walked.taken_over_at is null or told.ticket_contact_due_at > walked.taken_over_at
                then told.ticket_contact_due_at
        end as ticket_contact_due_at,
        told.batch_id,
        told.row_number
    from {{ ref('int_assignment__told') }} as told
    left join {{ ref('int_assignment__walked') }} as walked
        on told.assignment_id = walked.assignment_id and walked.kind = 'dispatch'
    where coalesce(walked.is_opened, true)
)

select * from final
