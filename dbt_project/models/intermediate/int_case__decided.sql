-- What was decided about a case as a whole: what it was merged into, by the first such event; whether it is excluded
-- for every indicator, with the reason of the newest exclusion.
with events as (
    select * from {{ ref('int_event__winning') }}
),

cases as (
    select * from {{ ref('int_case__rooted') }}
),

merged as (
    select distinct on (events.case_id)
        events.case_id,
        target.case_id as merged_into_case_id
    from events
    inner join cases on events.case_id = cases.case_id
    inner join cases as target
        on
            cases.feed_code = target.feed_code
            and events.result_code = target.case_no
            and cases.case_id <> target.case_id
    where events.event_type = 'MERGE'
    order by events.case_id, events.occurred_at, events.event_id
),

excluded as (
    select distinct on (case_id)
        case_id as root_case_id,
        reason_code
    from {{ ref('int_case__excluded') }}
    where assignment_id is null and indicator_codes is null
    order by case_id asc, decided_at desc, exclusion_id asc
),

final as (
    select
        cases.case_id,
        merged.merged_into_case_id,
        excluded.root_case_id is not null as is_excluded,
        excluded.reason_code as exclusion_reason
    from cases
    left join merged on cases.case_id = merged.case_id
    left join excluded on cases.root_case_id = excluded.root_case_id
)

select * from final
