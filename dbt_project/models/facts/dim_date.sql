-- The calendar: working days with 调休, numbered, and what every day is part of.
select
    date_on,
    extract(year from date_on)::integer as year_no,
    to_char(date_on, 'YYYY-"Q"Q') as quarter,
    to_char(date_on, 'YYYY-MM') as month,
    to_char(date_on, 'IYYY-"W"IW') as iso_week,
    extract(isodow from date_on)::integer as weekday_no,
    '星期' || substr('一二三四五六日', extract(isodow from date_on)::integer, 1) as weekday_zh,
    trim(to_char(date_on, 'Day')) as weekday_en,
    is_workday,
    is_makeup_workday,
    workday_no,
    calendar_status,
    label_zh
from {{ ref('stg_calendar_day') }}
