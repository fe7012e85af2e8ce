-- One row per case as a hotline knows it. Assignments hang on, and are counted for, the first case of a chain of
-- transfers; when that matter is closed, every case of the chain is.
with touched as (
    select * from {{ source('touched', 'touched_case') }}
    where is_rebuilt
),

assignments as (
    select
        root_case_id,
        min(dispatched_at) as first_dispatched_at,
        count(*)::integer as assignment_count,
        (max(round) - 1)::integer as rework_count  -- rounds: rework of a support unit joins the lead's
    from {{ ref('int_assignment__opened') }}
    group by root_case_id
),

standing as (
    select
        opened.root_case_id,
        count(*) filter (where lived.void_reason = 'returned')::integer as return_count,
        bool_and(lived.ended_at is not null) filter (where opened.unit_role = 'lead') as is_done,
        max(lived.closed_at) filter (where lived.end_reason = 'closed' and opened.unit_role = 'lead') as closed_at
    from {{ ref('int_assignment__opened') }} as opened
    inner join {{ ref('int_assignment__lived') }} as lived on opened.assignment_id = lived.assignment_id
    group by opened.root_case_id
),

days as (
    select distinct
        root_case_id,
        occurred_at
    from {{ ref('int_event__winning') }}
    where occurred_precision = 'day' and event_type in ('DIRECT', 'CLOSE')
),

answers as (
    select
        root_case_id,
        event_type,
        occurred_at,
        max(occurred_at) filter (where event_type = 'REVIEW_BACK') over (partition by root_case_id) as sent_back_at
    from {{ ref('int_event__winning') }}
    where event_type in ('DIRECT', 'CLOSE', 'REVIEW_BACK')
),

answered_directly as (
    select
        root_case_id,
        min(occurred_at) as closed_at
    from answers
    where event_type <> 'REVIEW_BACK' and (sent_back_at is null or occurred_at > sent_back_at)
    group by root_case_id
),

final as (
    select
        cases.case_id,
        cases.feed_code,
        cases.case_no,
        cases.request_type,
        cases.category_code,
        cases.area_code,
        cases.channel,
        coalesce(cases.urgency, 'normal') as urgency,
        cases.dispatch_source,
        cases.is_confidential,
        cases.received_at,
        {{ local_date('cases.received_at') }} as received_on,
        cases.sender_status,
        assignments.first_dispatched_at,
        closed.closed_at,
        {{ local_date('closed.closed_at') }} as closed_on,
        case when days.root_case_id is not null then 'day' end as closed_precision,
        cases.transferred_from_case_id,
        decided.merged_into_case_id,
        repeated.repeat_of_case_id,
        repeated.repeat_similarity,
        100 * repeated.repeat_similarity as repeat_similarity_pct,
        repeated.repeat_basis,
        decided.is_excluded,
        decided.exclusion_reason,
        coalesce(assignments.assignment_count, 0) as assignment_count,
        case when cases.case_id = cases.root_case_id then coalesce(standing.return_count, 0) else 0 end as return_count,
        coalesce(assignments.rework_count, 0) as rework_count,
        cases.root_case_id,
        cases.told_by_batch_id as source_batch_id,
        cases.told_by_row_number as source_row_number
    from touched
    inner join {{ ref('int_case__rooted') }} as cases on touched.case_id = cases.case_id
    inner join {{ ref('int_case__decided') }} as decided on cases.case_id = decided.case_id
    left join assignments on cases.case_id = assignments.root_case_id
    left join standing on cases.root_case_id = standing.root_case_id
    left join answered_directly on cases.root_case_id = answered_directly.root_case_id
    cross join
        lateral (  -- noqa: ST05
            select
                case
                    when standing.root_case_id is null then answered_directly.closed_at
                    when standing.is_done then standing.closed_at
                end as closed_at
        ) as closed
    left join days on cases.root_case_id = days.root_case_id and closed.closed_at = days.occurred_at
    left join {{ ref('int_case__repeated') }} as repeated on cases.case_id = repeated.case_id
)

select * from final
