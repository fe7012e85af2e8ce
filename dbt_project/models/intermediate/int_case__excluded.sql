-- Every exclusion in force, on the first case of a chain of transfers: the hotline's newest word, and what people
-- decided. Each is ended by its own kind alone: a hotline's by its later denial, a decision by the one that revokes it.
with told as (
    select distinct on (root_case_id)
        root_case_id,
        event_type,
        coalesce(reason_code, 'unstated') as reason_code,
        occurred_at
    from {{ ref('int_event__winning') }}
    where event_type in ('EXCLUDE_GRANT', 'EXCLUDE_DENY')
    order by root_case_id asc, occurred_at desc, event_rank desc, event_id asc
),

final as (
    select
        'hotline:' || root_case_id as exclusion_id,
        root_case_id as case_id,
        null::text as assignment_id,
        null::text[] as indicator_codes,
        reason_code,
        'hotline' as source,
        null::integer as from_revision,
        occurred_at as decided_at,
        null::text as decided_by
    from told
    where event_type = 'EXCLUDE_GRANT'
    union all
    select
        decided.exclusion_id,
        cases.root_case_id as case_id,
        decided.assignment_id,
        decided.indicator_codes,
        decided.reason_code,
        decided.source,
        decided.from_revision,
        decided.decided_at,
        decided.decided_by
    from {{ ref('stg_exclusion') }} as decided
    inner join {{ ref('int_case__rooted') }} as cases on decided.case_id = cases.case_id
)

select * from final
