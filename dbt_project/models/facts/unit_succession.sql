-- Reorganisations: which unit took over from which, and when.
select
    old_unit_code,
    new_unit_code,
    succession_kind,
    effective_on
from {{ ref('stg_unit_succession') }}
