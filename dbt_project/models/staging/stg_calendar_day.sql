-- The calendar with the number of working days up to and including each day, so that adding N is a look-up.
{{ config(materialized='table', unlogged=true) }}

select
    (data ->> 'date_on')::date as date_on,
    (data ->> 'is_workday')::boolean as is_workday,
    (data ->> 'is_makeup_workday')::boolean as is_makeup_workday,
    (count(*) filter (where (data ->> 'is_workday')::boolean) over (order by data ->> 'date_on'))::integer
        as workday_no,
    data ->> 'status' as calendar_status,
    data ->> 'label' as label_zh
from {{ config_entries('calendar_day') }} as entries
