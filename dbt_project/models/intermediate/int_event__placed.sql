-- What units did and what was decided about them, each event with the dispatch of the unit that it answers, and the
-- moment at which it counts there: what was done a little before the dispatch is done at it.
with events as (
    select * from {{ ref('int_event__winning') }}
    where
        event_type in (
            'SIGN', 'FIRST_CONTACT', 'RETURN_REQUEST', 'RETURN_GRANT', 'RETURN_DENY', 'EXTEND_REQUEST', 'EXTEND_GRANT',
            'EXTEND_DENY', 'DESIGNATE', 'URGE', 'SUPERVISE', 'CLOSE', 'REVIEW_BACK', 'VIOLATION'
        )
),

moments as (
    select
        event_id as moment_id,
        root_case_id,
        unit_name,
        unit_ref,
        unit_codes,
        -- a time to the minute may be any moment of it: the signature of 09:00 answers the dispatch of 09:00:30
        occurred_at
        + case
            when event_type in ('SIGN', 'FIRST_CONTACT') and {{ is_to_the_minute('occurred_at') }}
                then interval '59 seconds'
            else interval '0'
        end as happened_at,
        event_rank as moment_rank
    from events
),

answering as (
    select *
    from {{ belongs_to_assignment('moments', ref('int_assignment__told'), ref('stg_unit_name')) }} as belonging
),

-- A second dispatch of a unit, with the one before it.
again as (
    select
        assignment_id as later_id,
        root_case_id,
        opened_by,
        dispatched_at as later_at,
        opening_rank as later_rank,
        edition,
        lag(assignment_id) over of_unit as earlier_id,
        lag(dispatched_at) over of_unit as earlier_at,
        lag(opening_rank) over of_unit as earlier_rank
    from {{ ref('int_assignment__told') }}
    where not is_only and unit_ref is not null
    window of_unit as (
        partition by root_case_id, unit_ref, unit_role order by dispatched_at, opening_rank, assignment_id
    )
),

-- A close or a granted return in the minute of such a dispatch, either of them told to the minute, may have come before
-- it or after.
of_that_minute as (
    select
        events.event_id,
        events.occurred_at,
        events.event_rank,
        again.root_case_id,
        again.earlier_id,
        again.earlier_at,
        again.earlier_rank,
        again.later_id,
        again.later_at,
        again.later_rank,
        events.event_type = 'RETURN_GRANT' or again.opened_by = 'REWORK' as may_be_earlier,
        true as is_of_unit
    from again
    inner join answering on answering.assignment_id in (again.earlier_id, again.later_id)
    inner join events on answering.moment_id = events.event_id
    where
        again.earlier_id is not null
        and again.edition = 2
        and (
            events.event_type = 'CLOSE'
            or (events.event_type = 'RETURN_GRANT' and again.opened_by <> 'REWORK')
        )
        and date_trunc('minute', events.occurred_at) = date_trunc('minute', again.later_at)
        and ({{ is_to_the_minute('events.occurred_at') }} or {{ is_to_the_minute('again.later_at') }})
    union all
    -- a close in the minute in which another unit was given the case
    select
        events.event_id,
        events.occurred_at,
        events.event_rank,
        given.root_case_id,
        given.assignment_id as earlier_id,
        given.dispatched_at as earlier_at,
        given.opening_rank as earlier_rank,
        taking.assignment_id as later_id,
        taking.dispatched_at as later_at,
        taking.opening_rank as later_rank,
        true as may_be_earlier,
        false as is_of_unit
    from {{ ref('int_assignment__told') }} as given
    inner join {{ ref('int_assignment__told') }} as taking
        on
            given.root_case_id = taking.root_case_id
            and given.unit_ref is distinct from taking.unit_ref
            and (given.dispatched_at, given.opening_rank) < (taking.dispatched_at, taking.opening_rank)
    inner join {{ ref('int_case__rooted') }} as cases on taking.dispatched_case_id = cases.case_id
    left join {{ ref('stg_feed') }} as feeds on cases.feed_code = feeds.feed_code
    inner join answering on given.assignment_id = answering.assignment_id
    inner join events
        on
            answering.moment_id = events.event_id
            and events.event_type = 'CLOSE'
            and date_trunc('minute', events.occurred_at) = date_trunc('minute', taking.dispatched_at)
            and (events.occurred_at, events.event_rank) > (taking.dispatched_at, taking.opening_rank)
    where
        not given.is_only
        and given.unit_role = 'lead'
        and taking.unit_role = 'lead'
        and taking.edition = 2
        and (
            taking.opened_by in ('REDISPATCH', 'REWORK')
            or (taking.opened_by = 'DISPATCH' and feeds.another_lead = 'replaces')
        )
        and ({{ is_to_the_minute('events.occurred_at') }} or {{ is_to_the_minute('taking.dispatched_at') }})
),

-- Whether the dispatch before still waited: not closed, not returned, and the case not given to another unit.
earlier_states as (
    select
        of_that_minute.event_id,
        of_that_minute.later_id,
        coalesce(max(others.occurred_at) filter (where others.event_type = 'CLOSE'), '-infinity')
        <= coalesce(max(others.occurred_at) filter (where others.event_type = 'REVIEW_BACK'), '-infinity')
        and count(others.event_id) filter (where others.event_type = 'RETURN_GRANT') = 0 as is_waiting
    from of_that_minute
    left join answering on of_that_minute.earlier_id = answering.assignment_id
    left join events as others
        on
            answering.moment_id = others.event_id
            and of_that_minute.event_id <> others.event_id
            and others.event_type in ('CLOSE', 'REVIEW_BACK', 'RETURN_GRANT')
            and (others.occurred_at, others.event_rank)
            < (of_that_minute.later_at, of_that_minute.later_rank)
    group by of_that_minute.event_id, of_that_minute.later_id
),

given_away as (
    select distinct
        of_that_minute.event_id,
        of_that_minute.later_id
    from of_that_minute
    inner join {{ ref('int_assignment__told') }} as told
        on
            of_that_minute.root_case_id = told.root_case_id
            and told.opened_by = 'REDISPATCH'
            and (told.dispatched_at, told.opening_rank) > (of_that_minute.earlier_at, of_that_minute.earlier_rank)
            and (told.dispatched_at, told.opening_rank) < (of_that_minute.later_at, of_that_minute.later_rank)
),

moved as (
    select distinct on (of_that_minute.event_id)
        of_that_minute.event_id,
        case when decided.is_earlier then of_that_minute.earlier_id else of_that_minute.later_id end as assignment_id,
        -- before the second dispatch, also where its own second is later
        decided.is_earlier
        and (of_that_minute.occurred_at, of_that_minute.event_rank)
        > (of_that_minute.later_at, of_that_minute.later_rank) as is_lowered,
        of_that_minute.later_at,
        of_that_minute.later_rank
    from of_that_minute
    inner join earlier_states
        on
            of_that_minute.event_id = earlier_states.event_id
            and of_that_minute.later_id = earlier_states.later_id
    left join given_away
        on of_that_minute.event_id = given_away.event_id and of_that_minute.later_id = given_away.later_id
    cross join
        lateral (  -- noqa: ST05
            select
                of_that_minute.may_be_earlier
                and earlier_states.is_waiting
                and given_away.event_id is null as is_earlier
        ) as decided
    where decided.is_earlier or of_that_minute.is_of_unit
    order by of_that_minute.event_id asc, of_that_minute.is_of_unit desc, of_that_minute.later_at asc
),

final as (
    select
        events.event_id,
        coalesce(moved.assignment_id, answering.assignment_id) as told_id,
        events.case_id,
        events.root_case_id,
        events.event_type,
        events.occurred_at,
        events.event_rank,
        case when moved.is_lowered then moved.later_at else events.occurred_at end as counted_at,
        case when moved.is_lowered then moved.later_rank - 0.5 else events.event_rank end as counted_rank,
        events.unit_code,
        events.unit_name,
        events.unit_ref,
        events.due_at,
        events.reason_code,
        events.batch_id,
        events.row_number
    from events
    left join answering on events.event_id = answering.moment_id
    left join moved on events.event_id = moved.event_id
)

select * from final
