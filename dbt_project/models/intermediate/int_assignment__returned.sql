-- Returns that voided an assignment: when each was asked for, and what the rule says of one asked for so late. Only
-- under the readings of edition 2; before, when a return was asked for decided nothing.
with returned as (
    select
        opened.assignment_id,
        opened.dispatched_at,
        opened.dispatched_case_id,
        lived.voided_at,
        limited.due_at,
        limited.has_24h_duty,
        extended.assignment_id is not null as is_extended,
        extended.extended_due_at,
        extended.grants,
        limited.extension_rule
    from {{ ref('int_assignment__opened') }} as opened
    inner join {{ ref('int_assignment__lived') }} as lived on opened.assignment_id = lived.assignment_id
    inner join {{ ref('int_assignment__limited') }} as limited on opened.assignment_id = limited.assignment_id
    left join {{ ref('int_assignment__extended') }} as extended on opened.assignment_id = extended.assignment_id
    where lived.void_reason = 'returned' and opened.edition > 1
),

-- Asked for by the first request since the decision before the one that granted it.
asked as (
    select
        returned.assignment_id,
        min(requests.occurred_at) as asked_at
    from returned  -- noqa: AL04
    inner join {{ ref('int_event__attached') }} as requests
        on
            returned.assignment_id = requests.assignment_id
            and requests.event_type = 'RETURN_REQUEST'
            and returned.voided_at >= requests.counted_at
    left join (
        select
            returned.assignment_id,
            max(decisions.counted_at) as decided_at
        from returned
        inner join {{ ref('int_event__attached') }} as decisions on returned.assignment_id = decisions.assignment_id
        where
            decisions.event_type in ('RETURN_DENY', 'RETURN_GRANT')
            and decisions.counted_at < returned.voided_at
        group by returned.assignment_id
    ) as earlier
        on returned.assignment_id = earlier.assignment_id
    where earlier.decided_at is null or requests.counted_at > earlier.decided_at
    group by returned.assignment_id
),

spans as (
    select
        returned.assignment_id,
        returned.dispatched_at as from_at,
        rules.return_within_amount as amount,
        rules.return_within_unit as unit,
        case when rules.return_within_unit in ('workday', 'day') then 'next_day' else 'at_once' end as starts,
        returned.has_24h_duty
    from returned
    inner join {{ ref('stg_limit_rule') }} as rules on returned.extension_rule = rules.limit_rule
    where rules.return_within_amount is not null
),

windows as (
    select * from {{ span_ends('spans', ref('stg_calendar_day')) }} as ended
),

-- The limit in force when it was asked for. What moved it later on counts where it moved it on: then it had not passed.
granted as (
    select
        returned.assignment_id,
        max(told.grant_no) as number
    from returned
    inner join asked on returned.assignment_id = asked.assignment_id
    cross join lateral jsonb_array_elements(returned.grants) with ordinality as told (given, grant_no)
    where
        ((told.given ->> 0)::timestamptz, {{ event_rank("'EXTEND_GRANT'") }})
        < (asked.asked_at, {{ event_rank("'RETURN_REQUEST'") }})
    group by returned.assignment_id
),

judged as (
    select
        returned.assignment_id,
        asked.asked_at,
        windows.assignment_id is not null as has_window,
        -- a window that lies beyond the calendar has not passed
        windows.assignment_id is not null and coalesce(asked.asked_at <= windows.ends_at, windows.ends_at is null)
            as is_in_window,
        asked.asked_at
        > case when returned.is_extended then returned.extended_due_at else returned.due_at end
        and asked.asked_at
        > case
            when granted.number is null then returned.due_at
            else (returned.grants -> (granted.number - 1)::integer ->> 1)::timestamptz
        end as is_after_limit,
        coalesce(rules.late_return, 'stands') = 'stands' as stands,
        coalesce(feeds.return_requests, 'told') as return_requests
    from returned
    inner join {{ ref('int_case__rooted') }} as cases on returned.dispatched_case_id = cases.case_id
    left join {{ ref('stg_feed') }} as feeds on cases.feed_code = feeds.feed_code
    left join {{ ref('stg_limit_rule') }} as rules on returned.extension_rule = rules.limit_rule
    left join asked on returned.assignment_id = asked.assignment_id
    left join windows on returned.assignment_id = windows.assignment_id
    left join granted on returned.assignment_id = granted.assignment_id
),

final as (
    select
        assignment_id,
        asked_at,
        coalesce(not is_in_window and is_after_limit and stands, false) as is_late,
        asked_at is not null
        and not is_in_window
        and (has_window or coalesce(is_after_limit, false))
        and not coalesce(is_after_limit and stands, false) as is_outside_window,
        asked_at is null and return_requests = 'told' as is_request_untold
    from judged
)

select * from final
