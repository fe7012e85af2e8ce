-- The area tree.
select
    area_code,
    area_name,
    parent_area_code,
    area_level
from {{ ref('stg_area') }}
