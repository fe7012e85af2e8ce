-- All moments of the matters that are walked (int_assignment__walked), in one order: by `anchor_key`, `anchor_id`,
-- `step`, `told_key` and `moment_id`. An event that answers a dispatch yet to come stands after that one; what is of
-- the minute of an opening (int_event__unordered) stands beside it, each time that it may be counted there.
--
--   step 1  an event told before an opening, which may have come before it
--   step 2  an event told after an opening, which may have come before it: counted at the opening
--   step 3  a close of a duty that the opening may end: counted at the opening
--   step 4  the opening; an event; an end of the case
--   step 5  what answers the opening and was told before it
--   step 6  what was told before the opening and did not count at step 1
{{ config(materialized='view') }}

with openings as (
    select
        told.*,
        cases.feed_code as hotline,
        {{ order_key('told.dispatched_at', 'told.opening_rank') }} as told_key,
        row_number() over (
            partition by told.root_case_id order by told.dispatched_at, told.opening_rank, told.assignment_id
        )::integer as told_no,
        told.opened_by = 'REDISPATCH'
        or (told.opened_by = 'DISPATCH' and coalesce(feeds.another_lead = 'replaces', false)) as is_replacing
    from {{ ref('int_assignment__told') }} as told
    inner join {{ ref('int_case__rooted') }} as cases on told.dispatched_case_id = cases.case_id
    left join {{ ref('stg_feed') }} as feeds on cases.feed_code = feeds.feed_code
    where told.is_walked
),

acts as (
    select
        placed.event_id,
        placed.root_case_id,
        placed.event_type,
        placed.occurred_at,
        placed.event_rank,
        {{ order_key('placed.occurred_at', 'placed.event_rank') }} as told_key,
        openings.told_no,
        openings.assignment_id as told_id,
        openings.told_key as opening_key,
        openings.dispatched_at as opened_at,
        cases.feed_code as hotline,
        readings.edition
    from {{ ref('int_event__placed') }} as placed
    inner join openings on placed.told_id = openings.assignment_id
    left join {{ ref('int_case__rooted') }} as cases
        on placed.case_id = cases.case_id and placed.event_type = 'RETURN_GRANT'
    left join {{ ref('stg_reading') }} as readings
        on
            placed.event_type = 'RETURN_GRANT'
            and {{ local_date('placed.occurred_at') }} >= readings.valid_from
            and ({{ local_date('placed.occurred_at') }} < readings.valid_to or readings.valid_to is null)
    where
        placed.event_type in (
            'SIGN', 'FIRST_CONTACT', 'RETURN_REQUEST', 'RETURN_GRANT', 'EXTEND_REQUEST', 'DESIGNATE', 'CLOSE',
            'REVIEW_BACK'
        )
),

unordered as (
    select
        event_id,
        bool_or(kind = 'undecided') as is_undecided
    from {{ ref('int_event__unordered') }}
    group by event_id
),

beside as (
    select
        acts.event_id,
        acts.root_case_id,
        acts.event_type,
        acts.occurred_at,
        acts.event_rank,
        acts.told_key,
        acts.hotline,
        acts.edition,
        unordered.kind,
        openings.told_no as opening_no,
        openings.assignment_id as opening_id,
        openings.opened_by,
        openings.dispatched_at as opened_at,
        openings.told_key as anchor_key,
        earlier.told_no as earlier_no
    from {{ ref('int_event__unordered') }} as unordered
    inner join acts on unordered.event_id = acts.event_id
    inner join openings on unordered.opening_id = openings.assignment_id
    inner join openings as earlier on unordered.earlier_id = earlier.assignment_id
),

final as (
    select
        root_case_id,
        told_key as anchor_key,
        dispatched_at as anchor_at,
        assignment_id as anchor_id,
        4 as step,
        told_key,
        assignment_id as moment_id,
        opened_by as event_type,
        dispatched_at as counted_at,
        opening_rank as counted_rank,
        told_key as counted_key,
        told_no,
        null::integer as earlier_no,
        hotline,
        unit_ref,
        unit_role = 'lead' as is_lead,
        round,
        edition,
        is_replacing and unit_role = 'lead' as is_replacing,
        false as is_unordered
    from openings
    union all
    -- what is undecided stands beside its opening alone
    select
        acts.root_case_id,
        greatest(acts.told_key, acts.opening_key) as anchor_key,
        greatest(acts.occurred_at, acts.opened_at) as anchor_at,
        case when acts.opening_key > acts.told_key then acts.told_id else acts.event_id end as anchor_id,
        case when acts.opening_key > acts.told_key then 5 else 4 end as step,
        acts.told_key,
        acts.event_id as moment_id,
        acts.event_type,
        acts.occurred_at as counted_at,
        acts.event_rank as counted_rank,
        acts.told_key as counted_key,
        acts.told_no,
        null::integer as earlier_no,
        acts.hotline,
        null as unit_ref,
        null::boolean as is_lead,
        null::integer as round,
        acts.edition,
        false as is_replacing,
        unordered.event_id is not null as is_unordered
    from acts
    left join unordered on acts.event_id = unordered.event_id
    where unordered.is_undecided is not true
    union all
    select
        beside.root_case_id,
        beside.anchor_key,
        beside.opened_at as anchor_at,
        beside.opening_id as anchor_id,
        steps.step,
        beside.told_key,
        beside.event_id as moment_id,
        beside.event_type,
        case when beside.kind = 'undecided' then beside.occurred_at else beside.opened_at end as counted_at,
        beside.event_rank as counted_rank,
        case
            when beside.kind = 'undecided' then beside.told_key
            else {{ order_key('beside.opened_at', 'beside.event_rank') }}
        end as counted_key,
        case when steps.step = 6 then beside.opening_no else beside.earlier_no end as told_no,
        beside.earlier_no,
        beside.hotline,
        null as unit_ref,
        null::boolean as is_lead,
        null::integer as round,
        beside.edition,
        false as is_replacing,
        true as is_unordered
    from beside
    inner join (values ('undecided', 1), ('placeable', 2), ('ending', 3), ('undecided', 6)) as steps (kind, step)
        on beside.kind = steps.kind
    -- a close comes after a dispatch
    where steps.step <> 1 or beside.event_type <> 'CLOSE' or beside.opened_by = 'REWORK'
    union all
    select
        events.root_case_id,
        {{ order_key('events.occurred_at', 'events.event_rank') }} as anchor_key,
        events.occurred_at as anchor_at,
        events.event_id as anchor_id,
        4 as step,
        {{ order_key('events.occurred_at', 'events.event_rank') }} as told_key,
        events.event_id as moment_id,
        events.event_type,
        events.occurred_at as counted_at,
        events.event_rank as counted_rank,
        {{ order_key('events.occurred_at', 'events.event_rank') }} as counted_key,
        null::integer as told_no,
        null::integer as earlier_no,
        null as hotline,
        null as unit_ref,
        null::boolean as is_lead,
        null::integer as round,
        null::integer as edition,
        false as is_replacing,
        false as is_unordered
    from {{ ref('int_event__winning') }} as events
    inner join openings as first_told
        on events.root_case_id = first_told.root_case_id and first_told.told_no = 1
    where events.event_type in ('MERGE', 'TERMINATE', 'TRANSFER_EMERGENCY', 'REJECT_INTAKE')
)

select * from final
