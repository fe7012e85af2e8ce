-- The units that the scheme assesses: those of its peer groups, as the register had them on the last day of the period.
{{ config(post_hook='analyze {{ this }}') }}

with runs as (
    select
        *,
        (ends_at at time zone ({{ told_of_the_scheme() }} ->> 'timezone'))::date - 1 as last_day
    from {{ ref('score_run') }}
),

dispatched as (
    select distinct unit_code
    from {{ source('mart', 'fct_timeliness') }}
    where
        voided_at is null
        and dispatched_at >= '{{ var("starts_at", "-infinity") }}'
        and dispatched_at < '{{ var("as_of", "infinity") }}'
)

select
    runs.scheme_id,
    runs.scheme_version,
    runs.period,
    units.unit_code,
    units.unit_key,
    units.peer_group,
    units.population,
    units.grids,
    units.staff,
    dispatched.unit_code is not null as has_case
from runs
cross join lateral jsonb_array_elements({{ told_of_the_scheme() }} -> 'peer_groups') as listed (code)
inner join {{ source('mart', 'dim_unit') }} as units
    on
        units.peer_group = listed.code #>> '{}'
        and units.valid_from <= runs.last_day
        and (units.valid_to is null or units.valid_to > runs.last_day)
left join dispatched on units.unit_code = dispatched.unit_code
