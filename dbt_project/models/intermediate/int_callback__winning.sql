-- One row per callback: its newest version, unless that takes it back.
{{ config(materialized='view') }}

with versions as (
    select
        *,
        concat_ws(
            '|', extract(epoch from called_at), coalesce(unit_name, ''), round,
            row_number() over (partition by batch_id, case_id, called_at, unit_name, round order by row_number)
        ) as identity
    from {{ ref('stg_callback') }}
),

newest as (
    select * from {{ newest_version('versions', ['case_id', 'identity']) }} as told
)

select
    newest.*,
    md5(newest.case_id || '|' || newest.identity) as callback_id,
    cases.root_case_id
from newest
inner join {{ ref('int_case__rooted') }} as cases on newest.case_id = cases.case_id
where not newest.is_deleted
