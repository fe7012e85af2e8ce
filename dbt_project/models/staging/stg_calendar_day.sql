-- The calendar as an index of working time: working days and working minutes up to each day, and the moments at which
-- its offices open and close. Adding N and measuring between are look-ups; nothing walks from day to day.
{{ config(materialized='table', unlogged=true) }}

with days as (
    select
        (data ->> 'date_on')::date as date_on,
        (data ->> 'is_workday')::boolean as is_workday,
        (data ->> 'is_makeup_workday')::boolean as is_makeup_workday,
        data ->> 'status' as calendar_status,
        data ->> 'label' as label_zh
    from {{ config_entries('calendar_day') }} as entries
),

numbered as (
    select
        *,
        (count(*) filter (where is_workday) over upto)::integer as workday_no,
        (count(*) filter (where calendar_status <> 'official') over upto)::integer as unsettled_no
    from days
    window upto as (order by date_on)
),

hours as (
    select
        *,
        (
            {{ minutes_of('morning_to - morning_from') }} + {{ minutes_of('afternoon_to - afternoon_from') }}
        )::integer as workday_minutes
    from {{ ref('stg_city') }}
),

final as (
    select
        numbered.date_on,
        numbered.is_workday,
        numbered.is_makeup_workday,
        numbered.workday_no,
        numbered.calendar_status,
        numbered.label_zh,
        -- days up to and including this one, and before it, that no notice of the State Council has settled
        numbered.unsettled_no,
        numbered.unsettled_no - (numbered.calendar_status <> 'official')::integer as unsettled_before,
        hours.workday_minutes,
        (numbered.workday_no - numbered.is_workday::integer) * hours.workday_minutes as worked_minutes_before,
        {{ moment_of_day('numbered.date_on', 'hours.morning_from') }} as morning_from,
        {{ moment_of_day('numbered.date_on', 'hours.morning_to') }} as morning_to,
        {{ moment_of_day('numbered.date_on', 'hours.afternoon_from') }} as afternoon_from,
        {{ moment_of_day('numbered.date_on', 'hours.afternoon_to') }} as afternoon_to,
        {{ end_of_day('numbered.date_on') }} as ends_at
    from numbered
    cross join hours
)

select * from final
