-- What became of each assignment: signed, contacted, returned, extended, closed, voided, ended.
-- A CLOSE that a later REVIEW_BACK sent back does not count; the first that stands does. Nothing counts that was done
-- after the end, or longer before the dispatch than clocks differ; what was done a little before it was done at it.
with attached as (
    select
        events.event_id,
        events.assignment_id,
        events.event_type,
        events.event_rank,
        events.counted_at as occurred_at,
        greatest(events.counted_at, opened.dispatched_at) as counted_at,
        events.counted_at >= opened.dispatched_at - city.clock_tolerance as is_in_time,
        coalesce((events.counted_at, events.counted_rank) < (opened.replaced_at, opened.replaced_rank), true)
            as is_before_end,
        opened.edition,
        events.batch_id,
        events.row_number
    from {{ ref('int_event__attached') }} as events
    inner join {{ ref('int_assignment__opened') }} as opened on events.assignment_id = opened.assignment_id
    cross join {{ ref('stg_city') }} as city
),

counted as (
    select
        assignment_id,
        max(occurred_at) filter (where event_type = 'REVIEW_BACK' and is_before_end) as last_sent_back_at,
        count(*) filter (where event_type = 'RETURN_REQUEST')::integer as return_request_count,
        count(*) filter (where event_type = 'RETURN_DENY')::integer as return_deny_count,
        min(occurred_at) filter (where event_type = 'DESIGNATE' and (is_in_time or edition = 1)) as designated_at,
        min(occurred_at) filter (where event_type = 'CLOSE' and is_before_end) as first_closed_at,
        count(*) filter (where event_type = 'EXTEND_GRANT')::integer as extension_count,
        count(*) filter (where event_type = 'URGE')::integer as urge_count,
        min(occurred_at) filter (where event_type = 'URGE') as urged_at,
        count(*) filter (where event_type = 'SUPERVISE')::integer as supervise_count,
        min(occurred_at) filter (where event_type = 'SUPERVISE') as supervised_at
    from attached
    group by assignment_id
),

events as (
    select
        attached.event_id,
        attached.assignment_id,
        attached.event_type,
        attached.event_rank,
        attached.batch_id,
        attached.row_number,
        attached.counted_at as occurred_at
    from attached
    inner join counted on attached.assignment_id = counted.assignment_id
    where
        attached.is_in_time
        and (
            (attached.event_type in ('SIGN', 'FIRST_CONTACT') and attached.is_before_end)
            or (
                attached.event_type = 'CLOSE'
                and attached.is_before_end
                and (counted.last_sent_back_at is null or attached.occurred_at > counted.last_sent_back_at)
            )
            or (
                attached.event_type = 'RETURN_GRANT'
                and (counted.designated_at is null or attached.occurred_at <= counted.designated_at)
            )
        )
),

standing as (
    select distinct on (assignment_id, event_type) *
    from events
    order by assignment_id, event_type, occurred_at, event_id
),

-- Of what review sent back every close and every review: which of them stood at the limit is for the limit to say.
sent_back as (
    select
        attached.assignment_id,
        count(*) filter (where attached.occurred_at >= counted.first_closed_at and attached.event_type = 'REVIEW_BACK')
        ::integer as review_back_count,
        min(attached.occurred_at) filter (
            where attached.occurred_at >= counted.first_closed_at and attached.event_type = 'REVIEW_BACK'
        ) as sent_back_at,
        jsonb_agg(attached.occurred_at) filter (where attached.event_type = 'CLOSE' and attached.is_in_time) as closes,
        jsonb_agg(attached.occurred_at) filter (where attached.event_type = 'REVIEW_BACK') as reviews
    from attached
    inner join counted on attached.assignment_id = counted.assignment_id
    where
        counted.last_sent_back_at is not null
        and attached.is_before_end
        and attached.event_type in ('CLOSE', 'REVIEW_BACK')
    group by attached.assignment_id
),

-- A decision about the case ends what was open when it fell; an assignment opened after it lives on.
ended as (
    select distinct on (opened.assignment_id)
        opened.assignment_id,
        events.occurred_at as ended_at,
        events.event_rank as end_rank,
        case events.event_type
            when 'MERGE' then 'merged'
            when 'TERMINATE' then 'terminated'
            when 'TRANSFER_EMERGENCY' then 'transferred_emergency'
            when 'REJECT_INTAKE' then 'rejected_intake'
        end as end_reason
    from {{ ref('int_assignment__opened') }} as opened
    inner join {{ ref('int_event__winning') }} as events
        on
            opened.root_case_id = events.root_case_id
            and (events.occurred_at, events.event_rank) > (opened.dispatched_at, opened.opening_rank)
            and coalesce((events.occurred_at, events.event_rank) < (opened.replaced_at, opened.replaced_rank), true)
    where events.event_type in ('MERGE', 'TERMINATE', 'TRANSFER_EMERGENCY', 'REJECT_INTAKE')
    order by opened.assignment_id, events.occurred_at, events.event_rank, events.event_id
),

voided as (
    select
        opened.assignment_id,
        opened.replaced_at,
        opened.superseded_by,
        -- another duty took its place while it was open, whatever became of it later
        opened.replaced_at is not null and closed.assignment_id is null as is_superseded,
        least(granted.returned_at, ended.ended_at) as voided_at,
        case
            when
                (ended.ended_at, ended.end_rank) < (granted.returned_at, {{ event_rank("'RETURN_GRANT'") }})
                or granted.returned_at is null
                then ended.end_rank
            else {{ event_rank("'RETURN_GRANT'") }}
        end as void_rank,
        case
            when
                (ended.ended_at, ended.end_rank) < (granted.returned_at, {{ event_rank("'RETURN_GRANT'") }})
                or granted.returned_at is null
                then ended.end_reason
            else 'returned'
        end as void_reason
    from {{ ref('int_assignment__opened') }} as opened
    left join standing as returned
        on opened.assignment_id = returned.assignment_id and returned.event_type = 'RETURN_GRANT'
    cross join
        lateral (  -- noqa: ST05
            select
                case when opened.has_walked_returns then opened.returned_at else returned.occurred_at end
                    as returned_at
        ) as granted
    left join standing as closed on opened.assignment_id = closed.assignment_id and closed.event_type = 'CLOSE'
    left join ended
        on
            opened.assignment_id = ended.assignment_id
            and (
                closed.occurred_at is null
                or (closed.occurred_at, closed.event_rank) > (ended.ended_at, ended.end_rank)
            )
),

done as (
    select standing.*
    from standing
    inner join voided on standing.assignment_id = voided.assignment_id
    where
        voided.voided_at is null
        or (standing.occurred_at, standing.event_rank) < (voided.voided_at, voided.void_rank)
),

final as (
    select
        voided.assignment_id,
        signed.occurred_at as signed_at,
        signed.batch_id as sign_batch_id,
        signed.row_number as sign_row_number,
        contacted.occurred_at as contacted_at,
        closed.occurred_at as closed_at,
        closed.batch_id as close_batch_id,
        closed.row_number as close_row_number,
        voided.voided_at,
        voided.void_reason,
        coalesce(voided.voided_at, closed.occurred_at, voided.replaced_at) as ended_at,
        case
            when voided.voided_at is not null then voided.void_reason
            when closed.occurred_at is not null then 'closed'
            when voided.replaced_at is not null then 'superseded'
        end as end_reason,
        case when voided.voided_at is null and closed.occurred_at is null then voided.superseded_by end
            as superseded_by,
        voided.is_superseded,
        counted.designated_at,
        counted.first_closed_at,
        coalesce(counted.return_request_count, 0) as return_request_count,
        coalesce(counted.return_deny_count, 0) as return_deny_count,
        coalesce(counted.extension_count, 0) as extension_count,
        coalesce(counted.urge_count, 0) as urge_count,
        counted.urged_at,
        coalesce(counted.supervise_count, 0) as supervise_count,
        counted.supervised_at,
        coalesce(sent_back.review_back_count, 0) as review_back_count,
        sent_back.sent_back_at,
        sent_back.closes,
        sent_back.reviews
    from voided
    left join done as signed on voided.assignment_id = signed.assignment_id and signed.event_type = 'SIGN'
    left join done as contacted
        on voided.assignment_id = contacted.assignment_id and contacted.event_type = 'FIRST_CONTACT'
    left join done as closed on voided.assignment_id = closed.assignment_id and closed.event_type = 'CLOSE'
    left join counted on voided.assignment_id = counted.assignment_id
    left join sent_back on voided.assignment_id = sent_back.assignment_id
)

select * from final
