-- The units that the scheme assesses: those of its peer groups, as the register had them on the last day of the period.
{{ config(post_hook='analyze {{ this }}') }}

select
    schemes.scheme_id,
    schemes.scheme_version,
    schemes.period,
    units.unit_code,
    units.unit_key,
    units.peer_group,
    units.population,
    (listed.data ->> 'points')::numeric as group_points
from {{ ref('int_scoring__schemes') }} as schemes
cross join lateral jsonb_array_elements(schemes.data -> 'peer_groups') as listed (data)
inner join {{ source('mart', 'dim_unit') }} as units
    on
        units.peer_group = listed.data ->> 'code'
        and units.valid_from <= (schemes.ends_at at time zone (schemes.data ->> 'timezone'))::date - 1
        and (
            units.valid_to is null
            or units.valid_to > (schemes.ends_at at time zone (schemes.data ->> 'timezone'))::date - 1
        )
