-- The category tree.
select
    data ->> 'category_code' as category_code,
    data ->> 'category_name' as category_name,
    data ->> 'parent_category_code' as parent_category_code,
    (data ->> 'category_level')::smallint as category_level
from {{ config_entries('category') }} as entries
