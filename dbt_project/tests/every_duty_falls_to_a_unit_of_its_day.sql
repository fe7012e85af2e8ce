-- A duty whose name was recognised falls to a unit that the register has on the day of dispatch; only what several
-- units later went into may be named before it began.
select
    duty.assignment_id,
    duty.unit_code
from {{ ref('fct_timeliness') }} as duty
left join {{ ref('stg_unit') }} as units
    on
        duty.unit_code = units.unit_code
        and {{ local_date('duty.dispatched_at') }} >= units.valid_from
        and ({{ local_date('duty.dispatched_at') }} < units.valid_to or units.valid_to is null)
left join {{ ref('stg_unit_name') }} as names
    on {{ means_at('names', 'duty.unit_code', 'duty.dispatched_at') }}
where
    duty.unit_code is not null
    and units.unit_code is null
    and names.resolution is distinct from 'before_merger'
