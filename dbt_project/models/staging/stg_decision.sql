-- The decisions of people this build sees: taken by a build that succeeded before it or by this one.
{{ config(materialized='table', unlogged=true) }}

with final as (
    select distinct
        taken.kind,
        taken.decision_id
    from {{ source('audit', 'build_decision') }} as taken
    inner join {{ source('audit', 'build') }} as build on taken.build_id = build.build_id
    where
        (build.status = 'succeeded' and build.build_id < {{ var('build_id') }})
        or build.build_id = {{ var('build_id') }}
)

select * from final
