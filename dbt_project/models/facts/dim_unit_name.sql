-- What every name of a unit means from day to day.
select
    unit_name,
    nullif(valid_from, '-infinity') as valid_from,
    nullif(valid_to, 'infinity') as valid_to,
    unit_code,
    unit_codes,
    resolution
from {{ ref('stg_unit_name') }}
