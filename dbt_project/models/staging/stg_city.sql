-- One row: the city's office hours and the window within which the same caller repeats himself.
select
    key as city,
    (data -> 'morning' ->> 0)::interval as morning_from,
    (data -> 'morning' ->> 1)::interval as morning_to,
    (data -> 'afternoon' ->> 0)::interval as afternoon_from,
    (data -> 'afternoon' ->> 1)::interval as afternoon_to,
    (data ->> 'repeat_window_days')::integer as repeat_window_days
from {{ config_entries('city') }} as entries
