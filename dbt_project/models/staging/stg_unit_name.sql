-- Every name by which a unit is called: codes, names over time, aliases.
select
    data ->> 'unit_name' as unit_name,
    data ->> 'unit_code' as unit_code
from {{ config_entries('unit_name') }} as entries
