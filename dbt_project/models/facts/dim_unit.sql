-- Handling units as they were between two dates.
select
    {{ unit_key('unit_code', 'valid_from') }} as unit_key,
    unit_code,
    unit_name,
    unit_kind,
    linkage_level,
    peer_group,
    parent_unit_code,
    has_24h_duty,
    population,
    grids,
    staff,
    valid_from,
    valid_to
from {{ ref('stg_unit') }}
