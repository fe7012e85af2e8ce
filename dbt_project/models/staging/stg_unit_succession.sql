-- Reorganisations: which unit took over from which, and when.
select
    data ->> 'old_unit_code' as old_unit_code,
    data ->> 'new_unit_code' as new_unit_code,
    data ->> 'succession_kind' as succession_kind,
    (data ->> 'effective_on')::date as effective_on
from {{ config_entries('unit_succession') }} as entries
