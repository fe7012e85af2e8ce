-- Violations that people entered, on touched cases or on no case, those that were not revoked.
with touched as (
    select * from {{ source('touched', 'touched_case') }}
    where is_rebuilt
),

violations as (
    select entered.*
    from {{ source('assess', 'violation') }} as entered
    inner join {{ ref('stg_decision') }} as decisions
        on decisions.kind = 'violation' and entered.violation_id = decisions.decision_id
    left join touched on entered.case_id = touched.case_id
    where entered.case_id is null or touched.case_id is not null
),

final as (
    select
        violations.violation_id,
        violations.case_id,
        violations.assignment_id,
        violations.unit_code,
        violations.violation_code,
        violations.found_at,
        violations.entered_by
    from violations
    left join violations as revocation on violations.violation_id = revocation.revokes_violation_id
    where violations.revokes_violation_id is null and revocation.violation_id is null
)

select * from final
