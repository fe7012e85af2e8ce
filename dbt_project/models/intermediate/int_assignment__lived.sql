-- What became of each assignment: signed, contacted, returned, extended, closed.
-- A CLOSE that a later REVIEW_BACK sent back does not count; the first that stands does.
with events as (
    select * from {{ ref('int_event__attached') }}
    where assignment_id is not null
),

reviewed as (
    select
        *,
        max(occurred_at) filter (where event_type = 'REVIEW_BACK') over (partition by assignment_id) as sent_back_at
    from events
),

standing as (
    select distinct on (assignment_id, event_type)
        assignment_id,
        event_type,
        occurred_at,
        batch_id,
        row_number
    from reviewed
    where
        event_type in ('SIGN', 'FIRST_CONTACT', 'RETURN_GRANT')
        or (event_type = 'CLOSE' and (sent_back_at is null or occurred_at > sent_back_at))
    order by assignment_id, event_type, occurred_at, event_id
),

counted as (
    select
        assignment_id,
        count(*) filter (where event_type = 'RETURN_REQUEST')::integer as return_request_count,
        count(*) filter (where event_type = 'RETURN_DENY')::integer as return_deny_count,
        min(occurred_at) filter (where event_type = 'EXTEND_REQUEST') as extension_requested_at,
        min(occurred_at) filter (where event_type = 'EXTEND_GRANT') as extension_granted_at,
        max(due_at) filter (where event_type = 'EXTEND_GRANT') as extended_due_at,
        count(*) filter (where event_type = 'EXTEND_GRANT')::integer as extension_count
    from events
    group by assignment_id
),

final as (
    select
        opened.assignment_id,
        signed.occurred_at as signed_at,
        signed.batch_id as sign_batch_id,
        signed.row_number as sign_row_number,
        contacted.occurred_at as contacted_at,
        closed.occurred_at as closed_at,
        closed.batch_id as close_batch_id,
        closed.row_number as close_row_number,
        returned.occurred_at as returned_at,
        coalesce(counted.return_request_count, 0) as return_request_count,
        coalesce(counted.return_deny_count, 0) as return_deny_count,
        coalesce(counted.extension_count, 0) as extension_count,
        coalesce(counted.extension_requested_at, counted.extension_granted_at) as extension_asked_at,
        counted.extended_due_at
    from {{ ref('int_assignment__opened') }} as opened
    left join standing as signed on opened.assignment_id = signed.assignment_id and signed.event_type = 'SIGN'
    left join standing as contacted
        on opened.assignment_id = contacted.assignment_id and contacted.event_type = 'FIRST_CONTACT'
    left join standing as closed on opened.assignment_id = closed.assignment_id and closed.event_type = 'CLOSE'
    left join standing as returned
        on opened.assignment_id = returned.assignment_id and returned.event_type = 'RETURN_GRANT'
    left join counted on opened.assignment_id = counted.assignment_id
)

select * from final
