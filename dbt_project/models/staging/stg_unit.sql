-- The register, one row per unit and period of validity.
select
    data ->> 'unit_code' as unit_code,
    data ->> 'unit_name' as unit_name,
    data ->> 'unit_kind' as unit_kind,
    (data ->> 'linkage_level')::smallint as linkage_level,
    data ->> 'peer_group' as peer_group,
    data ->> 'parent_unit_code' as parent_unit_code,
    (data ->> 'has_24h_duty')::boolean as has_24h_duty,
    (data ->> 'population')::bigint as population,
    (data ->> 'grids')::bigint as grids,
    (data ->> 'staff')::bigint as staff,
    (data ->> 'valid_from')::date as valid_from,
    (data ->> 'valid_to')::date as valid_to
from {{ config_entries('unit') }} as entries
