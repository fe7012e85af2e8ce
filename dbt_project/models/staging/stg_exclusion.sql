-- What people decided about touched cases that they are to count for nobody: exclusions and granted appeals, those that
-- no later decision revoked.
with touched as (
    select * from {{ source('touched', 'touched_case') }}
    where is_rebuilt
),

decisions as (
    select * from {{ ref('stg_decision') }}
),

exclusions as (
    select exclusions.*
    from {{ source('assess', 'exclusion') }} as exclusions
    inner join decisions on decisions.kind = 'exclusion' and exclusions.exclusion_id = decisions.decision_id
    inner join touched on exclusions.case_id = touched.case_id
),

granted as (
    select
        appeals.appeal_id,
        appeals.case_id,
        appeals.assignment_id,
        appeals.indicator_codes,
        made.reason_code,
        made.from_revision,
        made.decided_at,
        made.decided_by
    from {{ source('assess', 'appeal_decision') }} as made
    inner join decisions on decisions.kind = 'appeal_decision' and made.decision_id = decisions.decision_id
    inner join {{ source('assess', 'appeal') }} as appeals on made.appeal_id = appeals.appeal_id
    inner join touched on appeals.case_id = touched.case_id
    where made.decision = 'granted'
),

final as (
    select
        'decision:' || made.exclusion_id as exclusion_id,
        made.case_id,
        made.assignment_id,
        made.indicator_codes,
        made.reason_code,
        'decision' as source,
        null::integer as from_revision,
        made.decided_at,
        made.decided_by
    from exclusions as made
    left join exclusions as revocation on made.exclusion_id = revocation.revokes_exclusion_id
    where
        made.revokes_exclusion_id is null
        and made.revokes_appeal_id is null
        and revocation.exclusion_id is null
    union all
    select
        'appeal:' || granted.appeal_id as exclusion_id,
        granted.case_id,
        granted.assignment_id,
        granted.indicator_codes,
        granted.reason_code,
        'appeal' as source,
        granted.from_revision,
        granted.decided_at,
        granted.decided_by
    from granted
    left join exclusions as revocation on granted.appeal_id = revocation.revokes_appeal_id
    where revocation.exclusion_id is null
)

select * from final
