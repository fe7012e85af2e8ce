-- One row: the city's office hours, and how the times that several senders tell of one event are weighed.
select
    key as city,
    (data -> 'morning' ->> 0)::interval as morning_from,
    (data -> 'morning' ->> 1)::interval as morning_to,
    (data -> 'afternoon' ->> 0)::interval as afternoon_from,
    (data -> 'afternoon' ->> 1)::interval as afternoon_to,
    (data ->> 'clock_tolerance_minutes')::integer * interval '1 minute' as clock_tolerance,
    data -> 'unit_tells' as unit_tells
from {{ config_entries('city') }} as entries
