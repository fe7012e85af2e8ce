-- What was decided about a case as a whole: what it was merged into, by the first such event; excluded, by the newest.
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
    select distinct on (root_case_id)
        root_case_id,
        event_type = 'EXCLUDE_GRANT' as is_excluded,
        coalesce(reason_code, 'unstated') as exclusion_reason
    from events
    where event_type in ('EXCLUDE_GRANT', 'EXCLUDE_DENY')
    order by root_case_id asc, occurred_at desc, event_rank desc, event_id asc
),

final as (
    select
        cases.case_id,
        merged.merged_into_case_id,
        coalesce(excluded.is_excluded, false) as is_excluded,
        case when excluded.is_excluded then excluded.exclusion_reason end as exclusion_reason
    from cases
    left join merged on cases.case_id = merged.case_id
    left join excluded on cases.root_case_id = excluded.root_case_id
)

select * from final
