-- Versions of one callback are one fact; a callback without its case waits as an orphan.
{{ config(tags=['facts']) }}

with delivered as (
    select distinct
        case_id,
        called_at,
        coalesce(unit_name, '') as unit_name
    from {{ ref('stg_callback') }}
    where not is_deleted and case_id in (select rooted.case_id from {{ ref('int_case__rooted') }} as rooted)
),

counted as (
    select
        (select count(*) from delivered) as delivered,
        (select count(*) from {{ ref('fct_satisfaction') }}) as facts
)

select * from counted
where facts < delivered
