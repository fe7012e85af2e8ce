-- Closing limits that were extended. Grants are taken in their order: one with a due date sets the limit, one without
-- adds the amount that the rule declares. A grant counts when it was asked for before the limit then in force passed;
-- of a hotline that tells no requests it was. Asked later it has no effect, and so no grant after it has. Of each that
-- had one: when it was granted, and the limit from then on.
with limited as (
    select
        assignments.assignment_id,
        assignments.due_at as first_due_at,
        assignments.is_provisional as is_first_provisional,
        assignments.has_24h_duty,
        rules.extension_amount,
        rules.extension_unit,
        rules.extension_max_count,
        rules.extension_further,
        rules.ask_before_amount,
        rules.ask_before_unit
    from {{ ref('int_assignment__limited') }} as assignments
    left join {{ ref('stg_limit_rule') }} as rules on assignments.extension_rule = rules.limit_rule
),

asked as (
    select
        attached.assignment_id,
        attached.event_type,
        attached.occurred_at,
        attached.due_at,
        coalesce(feeds.extension_requests = 'not_told', false) as is_asking_untold,
        count(*) filter (where attached.event_type <> 'EXTEND_REQUEST') over earlier as decisions_before
    from {{ ref('int_event__attached') }} as attached
    left join {{ ref('int_case__rooted') }} as cases on attached.case_id = cases.case_id
    left join {{ ref('stg_feed') }} as feeds on cases.feed_code = feeds.feed_code
    where
        attached.assignment_id is not null
        and attached.event_type in ('EXTEND_REQUEST', 'EXTEND_DENY', 'EXTEND_GRANT')
    window earlier as (
        partition by attached.assignment_id
        order by attached.occurred_at, {{ event_rank('attached.event_type') }}, attached.event_id
        rows between unbounded preceding and 1 preceding
    )
),

-- One row per decision: asked for by the first request since the decision before it, else when it was made.
decided as (
    select
        assignment_id,
        decisions_before,
        coalesce(
            min(occurred_at) filter (where event_type = 'EXTEND_REQUEST'),
            case when bool_and(is_asking_untold) then '-infinity' else max(occurred_at) end
        ) as asked_at,
        max(due_at) filter (where event_type = 'EXTEND_GRANT') as granted_due_at,
        max(occurred_at) filter (where event_type = 'EXTEND_GRANT') as granted_at
    from asked
    group by assignment_id, decisions_before
    having bool_or(event_type = 'EXTEND_GRANT')
),

numbered as (
    select
        limited.*,
        decided.asked_at,
        decided.granted_due_at,
        decided.granted_at,
        row_number() over so_far as grant_no,
        count(decided.granted_due_at) over so_far as dates_set
    from decided
    inner join limited on decided.assignment_id = limited.assignment_id
    window so_far as (partition by decided.assignment_id order by decided.decisions_before)
),

-- The last date that was set, and how often the rule's amount was granted since.
summed as (
    select
        *,
        first_value(granted_due_at) over since_set as set_due_at,
        count(*) filter (
            where granted_due_at is null and extension_amount is not null
            and (extension_max_count is null or grant_no <= extension_max_count)
        ) over since_set as times
    from numbered
    window since_set as (partition by assignment_id, dates_set order by grant_no)
),

based as (
    select
        *,
        times > 0 and extension_further = 'replace' as is_replaced,
        case when extension_further = 'replace' then least(times, 1) else times end * extension_amount as amount,
        extension_unit as unit
    from summed
),

-- Working days count from the day in which the limit ended, everything else from the limit itself.
spans as (
    select
        *,
        case when is_replaced or set_due_at is null then first_due_at else set_due_at end
        - case unit when 'workday' then interval '1 microsecond' else interval '0' end as from_at,
        case unit when 'workday' then 'next_day' else 'at_once' end as starts
    from based
),

moved as (
    select
        assignment_id,
        grant_no,
        granted_at,
        asked_at,
        first_due_at,
        is_first_provisional,
        has_24h_duty,
        ask_before_amount,
        ask_before_unit,
        times > 0 or set_due_at is not null as is_moved,
        case when times > 0 then ends_at else coalesce(set_due_at, first_due_at) end as in_force_due_at,
        (times > 0 and is_provisional) or ((is_replaced or set_due_at is null) and is_first_provisional)
            as is_in_force_provisional
    from {{ span_ends('spans', ref('stg_calendar_day')) }} as ended
),

-- Until when the next grant had to be asked for: before the limit that this one found, by as much as the rule says.
asking as (
    select
        assignment_id,
        grant_no,
        granted_at,
        asked_at,
        is_moved,
        in_force_due_at,
        is_in_force_provisional,
        found_due_at,
        is_found_provisional,
        found_due_at
        - case ask_before_unit when 'workday' then interval '1 microsecond' else interval '0' end as from_at,
        -ask_before_amount as amount,
        ask_before_unit as unit,
        case ask_before_unit when 'workday' then 'next_day' else 'at_once' end as starts,
        has_24h_duty
    from (
        select
            *,
            lag(in_force_due_at, 1, first_due_at) over by_grant as found_due_at,
            lag(is_in_force_provisional, 1, is_first_provisional) over by_grant as is_found_provisional
        from moved
        window by_grant as (partition by assignment_id order by grant_no)
    ) as found
),

-- A limit that lies beyond the calendar has not passed. Without any limit there is nothing to extend.
judged as (
    select
        *,
        bool_and(coalesce(asked_at <= coalesce(ends_at, found_due_at), is_found_provisional))
            over (partition by assignment_id order by grant_no) as is_in_time
    from {{ span_ends('asking', ref('stg_calendar_day')) }} as ended
),

final as (
    select
        assignment_id,
        (array_agg(in_force_due_at order by grant_no desc))[1] as extended_due_at,
        (array_agg(is_in_force_provisional order by grant_no desc))[1] as is_provisional,
        jsonb_agg(jsonb_build_array(granted_at, in_force_due_at) order by grant_no) as grants
    from judged
    where is_in_time and is_moved
    group by assignment_id
)

select * from final
