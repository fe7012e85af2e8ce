-- The batches this build sees: taken by a build that succeeded before it or by this one, and not withdrawn since. A
-- build is the newest, so that says all that succeeded; one that is recomputed sees what it saw.
{{ config(materialized='table', unlogged=true) }}

with builds as (
    select build_id
    from {{ source('audit', 'build') }}
    where (status = 'succeeded' and build_id < {{ var('build_id') }}) or build_id = {{ var('build_id') }}
),

actions as (
    select
        build_batch.batch_id,
        build_batch.action
    from {{ source('audit', 'build_batch') }} as build_batch
    inner join builds on build_batch.build_id = builds.build_id
),

final as (
    select
        batch.batch_id,
        batch.feed_code,
        batch.kind,
        batch.business_date,
        batch.order_key
    from {{ source('audit', 'batch') }} as batch
    where
        exists (
            select 1 from actions
            where batch.batch_id = actions.batch_id and actions.action = 'take'
        )
        and not exists (
            select 1 from actions
            where batch.batch_id = actions.batch_id and actions.action = 'withdraw'
        )
)

select * from final
