-- The area tree.
select
    data ->> 'area_code' as area_code,
    data ->> 'area_name' as area_name,
    data ->> 'parent_area_code' as parent_area_code,
    data ->> 'area_level' as area_level
from {{ config_entries('area') }} as entries
