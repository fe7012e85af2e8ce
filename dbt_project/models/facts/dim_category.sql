-- The category tree.
select
    category_code,
    category_name,
    parent_category_code,
    category_level
from {{ ref('stg_category') }}
