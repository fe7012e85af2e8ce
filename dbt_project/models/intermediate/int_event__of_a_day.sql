-- Where what tells a day only stands among what tells a time. A dispatch of a day comes not before the receipt of that
-- day; a redispatch or a further unit not before the dispatch of that day either. A close of a day comes before what
-- follows a close on that day (review, callback, rating, rework), the first of it that no close with a time answers. Of
-- several, each goes before the next of these. Whatever else tells a day stands where the declaration put it.
with events as (
    select
        told.*,
        {{ local_date('told.occurred_at') }} as occurred_on
    from {{ ref('int_event__told') }} as told
    left join {{ ref('int_event__outranked') }} as outranked on told.event_id = outranked.event_id
    where told.version_no = 1 and not told.is_deleted and outranked.event_id is null
),

matters as (
    select distinct root_case_id
    from events
    where occurred_precision = 'day'
),

of_matters as (
    select events.*
    from events
    inner join matters on events.root_case_id = matters.root_case_id
),

begun as (
    select
        days.event_id,
        greatest(
            days.occurred_at,
            case when {{ local_date('cases.received_at') }} = days.occurred_on then cases.received_at end,
            max(dispatches.occurred_at)
        ) as occurred_at
    from of_matters as days
    inner join {{ ref('int_case__winning') }} as cases on days.case_id = cases.case_id
    left join of_matters as dispatches
        on
            days.root_case_id = dispatches.root_case_id
            and days.occurred_on = dispatches.occurred_on
            and days.event_type <> 'DISPATCH'
            and dispatches.event_type = 'DISPATCH'
            and dispatches.occurred_precision is null
    where days.occurred_precision = 'day' and days.event_type in ('DISPATCH', 'REDISPATCH', 'ADD_UNIT')
    group by days.event_id, days.occurred_at, days.occurred_on, cases.received_at
),

moments as (
    select
        of_matters.root_case_id,
        of_matters.event_type,
        coalesce(begun.occurred_at, of_matters.occurred_at) as occurred_at,
        of_matters.event_rank
    from of_matters
    left join begun on of_matters.event_id = begun.event_id
    where of_matters.occurred_precision is null or begun.event_id is not null
    union all
    select
        callbacks.root_case_id,
        'CALLBACK' as event_type,
        callbacks.called_at,
        {{ event_rank("'CALLBACK'") }} as event_rank
    from {{ ref('int_callback__winning') }} as callbacks
    inner join matters on callbacks.root_case_id = matters.root_case_id
),

rounds as (
    select
        root_case_id,
        event_type,
        occurred_at,
        count(*) filter (where event_type in ('DISPATCH', 'REDISPATCH', 'REWORK')) over so_far as openings,
        count(*) filter (where event_type in ('DISPATCH', 'REDISPATCH')) over of_matter as of_openings,
        count(*) filter (where event_type = 'CLOSE') over so_far as closes
    from moments
    window
        of_matter as (partition by root_case_id),
        so_far as (
            partition by root_case_id order by occurred_at, event_rank rows between unbounded preceding and 1 preceding
        )
),

-- The first that follows a close, in each round in which none was told with a time.
followed as (
    select
        root_case_id,
        {{ local_date('min(occurred_at)') }} as occurred_on,
        min(occurred_at) as occurred_at
    from (
        select
            *,
            min(closes) over (partition by root_case_id, openings) as closes_before
        from rounds
    ) as rounds_so_far
    where
        event_type in ('REVIEW_PASS', 'REVIEW_BACK', 'CALLBACK', 'RATE', 'REWORK')
        and closes = closes_before
        and (openings > 0 or of_openings = 0)
    group by root_case_id, openings
),

in_order as (
    select
        *,
        row_number() over (partition by root_case_id, occurred_on order by occurred_at) as place
    from followed
),

closes as (
    select
        event_id,
        root_case_id,
        occurred_on,
        occurred_at,
        row_number() over (partition by root_case_id, occurred_on order by occurred_at, event_id) as place
    from of_matters
    where occurred_precision = 'day' and event_type = 'CLOSE'
),

final as (
    select
        event_id,
        occurred_at
    from begun
    union all
    select
        closes.event_id,
        in_order.occurred_at
    from closes
    inner join in_order
        on
            closes.root_case_id = in_order.root_case_id
            and closes.occurred_on = in_order.occurred_on
            and closes.place = in_order.place
            and closes.occurred_at > in_order.occurred_at
)

select * from final
