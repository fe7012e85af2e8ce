-- The calendar: working days with 调休, numbered.
select
    date_on,
    is_workday,
    is_makeup_workday,
    workday_no,
    calendar_status,
    label_zh
from {{ ref('stg_calendar_day') }}
