-- One row per exclusion in force. What it excludes stays visible and counts 0 of 0.
with final as (
    select
        excluded.exclusion_id,
        excluded.case_id,
        excluded.assignment_id,
        excluded.indicator_codes,
        excluded.reason_code,
        excluded.source,
        excluded.from_revision,
        excluded.decided_at,
        excluded.decided_by
    from {{ ref('int_case__excluded') }} as excluded
    inner join {{ source('touched', 'touched_case') }} as touched
        on excluded.case_id = touched.case_id and touched.is_rebuilt
)

select * from final
