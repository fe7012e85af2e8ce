-- Closes and granted returns of the minute of an opening, either of the two told to the minute: what may as well have
-- come before that opening as after it (to-the-minute). One row per event and opening:
--   undecided  told before an opening that gives the same unit again what it had
--   placeable  told after such a one, and perhaps done before
--   ending     a close told after an opening that takes the place of duties, perhaps of the one that was closed
with openings as (
    select
        told.assignment_id,
        told.root_case_id,
        told.opened_by,
        told.unit_ref,
        told.unit_role,
        told.dispatched_at,
        told.opening_rank,
        told.opened_by in ('REDISPATCH', 'REWORK')
        or (told.opened_by = 'DISPATCH' and coalesce(feeds.another_lead = 'replaces', false)) as is_taking
    from {{ ref('int_assignment__told') }} as told
    inner join {{ ref('int_case__rooted') }} as cases on told.dispatched_case_id = cases.case_id
    left join {{ ref('stg_feed') }} as feeds on cases.feed_code = feeds.feed_code
    where
        told.is_walked
        and told.edition > 1
        and (told.unit_role = 'lead' or told.opened_by = 'REWORK')
),

pairs as (
    select
        events.event_id,
        events.event_type,
        events.unit_name,
        events.unit_ref,
        events.unit_codes,
        events.told_id,
        events.occurred_at,
        events.event_rank,
        openings.assignment_id as opening_id,
        openings.root_case_id,
        openings.opened_by,
        openings.unit_ref as opened_ref,
        openings.unit_role as opened_role,
        openings.dispatched_at,
        openings.opening_rank,
        openings.is_taking,
        (events.occurred_at, events.event_rank) < (openings.dispatched_at, openings.opening_rank) as is_told_before
    from {{ ref('int_event__placed') }} as events
    inner join openings
        on
            events.root_case_id = openings.root_case_id
            and date_trunc('minute', events.occurred_at) = date_trunc('minute', openings.dispatched_at)
    where
        events.event_type in ('CLOSE', 'RETURN_GRANT')
        and events.told_id is not null
        and ({{ is_to_the_minute('events.occurred_at') }} or {{ is_to_the_minute('openings.dispatched_at') }})
),

-- Rework gives again what was closed, a dispatch what was returned; a close told before a dispatch comes after it.
regiven as (
    select *
    from pairs
    where
        case opened_by
            when 'REWORK' then event_type = 'CLOSE'
            else event_type = 'RETURN_GRANT' or is_told_before
        end
),

-- Whose an event would be that came right before the opening, and right after it.
moments as (
    select
        concat_ws('|', regiven.event_id, regiven.opening_id, sides.side) as moment_id,
        regiven.root_case_id,
        regiven.unit_name,
        regiven.unit_ref,
        regiven.unit_codes,
        regiven.dispatched_at as happened_at,
        regiven.opening_rank + sides.step as moment_rank
    from regiven
    cross join (values ('before', -0.5), ('after', 0.5)) as sides (side, step)
),

answering as (
    select *
    from {{ belongs_to_assignment('moments', ref('int_assignment__told'), ref('stg_unit_name')) }} as belonging
),

to_the_same as (
    select
        regiven.*,
        earlier.assignment_id as earlier_id
    from regiven
    left join answering as before_it
        on concat_ws('|', regiven.event_id, regiven.opening_id, 'before') = before_it.moment_id
    left join answering as after_it
        on concat_ws('|', regiven.event_id, regiven.opening_id, 'after') = after_it.moment_id
    inner join {{ ref('int_assignment__told') }} as earlier
        on
            case when regiven.is_told_before then regiven.told_id else before_it.assignment_id end
            = earlier.assignment_id
            and regiven.opened_role = earlier.unit_role
    where
        case
            when regiven.unit_name is null then regiven.opened_ref = earlier.unit_ref
            else regiven.opening_id = after_it.assignment_id
        end
        -- what answers a later dispatch waits for that one
        and case
            when regiven.is_told_before
                then (earlier.dispatched_at, earlier.opening_rank) < (regiven.occurred_at, regiven.event_rank)
            else (earlier.dispatched_at, earlier.opening_rank) < (regiven.dispatched_at, regiven.opening_rank)
        end
),

undecided as (
    select distinct on (event_id)
        event_id,
        'undecided' as kind,
        opening_id,
        earlier_id
    from to_the_same
    where is_told_before
    order by event_id asc, dispatched_at asc, opening_rank asc, opening_id asc
),

final as (
    select * from undecided
    union all
    select
        event_id,
        'placeable' as kind,
        opening_id,
        earlier_id
    from to_the_same
    where not is_told_before
    union all
    select
        event_id,
        'ending' as kind,
        opening_id,
        told_id as earlier_id
    from pairs
    where is_taking and event_type = 'CLOSE' and not is_told_before
)

select * from final
