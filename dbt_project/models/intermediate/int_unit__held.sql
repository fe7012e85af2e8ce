-- Which version of the register a fact of a day is about: the last that had begun by then, whatever became of the unit
-- since, and before all of them the first, as limits take it. Each day has one for every unit that ever was.
select
    unit_code,
    {{ unit_key('unit_code', 'valid_from') }} as unit_key,
    case when row_number() over of_unit = 1 then '-infinity'::date else valid_from end as held_from,
    coalesce(lead(valid_from) over of_unit, 'infinity'::date) as held_until
from {{ ref('stg_unit') }}
window of_unit as (partition by unit_code order by valid_from)
