{# The city's date of a moment, whatever zone the session is in. #}
{% macro local_date(moment) -%}
    (({{ moment }}) at time zone '{{ var("timezone") }}')::date
{%- endmacro %}

{# The moment a date ends: 24:00 in the city. #}
{% macro end_of_day(date_on) -%}
    (({{ date_on }} + 1)::timestamp at time zone '{{ var("timezone") }}')
{%- endmacro %}

{# A time of day, given as an interval up to 24:00, on a date in the city. #}
{% macro moment_of_day(date_on, time_of_day) -%}
    (({{ date_on }} + {{ time_of_day }}) at time zone '{{ var("timezone") }}')
{%- endmacro %}

{# Whether a moment was told without seconds: it may be any of its minute. #}
{% macro is_to_the_minute(moment) -%}
    ({{ moment }} = date_trunc('minute', {{ moment }}))
{%- endmacro %}

{% macro minutes_of(span) -%}
    (extract(epoch from {{ span }}) / 60)
{%- endmacro %}

{#
    Working seconds from the start of the calendar to a moment; `day` is the row of stg_calendar_day of its date. The
    difference of two of these is the working time between two moments. Seconds, since a third of a minute is no exact
    number and its rounding would take a minute off a span.
#}
{% macro worked_seconds_at(moment, day) -%}
    (
        {{ day }}.worked_minutes_before * 60
        + {{ day }}.is_workday::integer * extract(
            epoch from least(greatest({{ moment }}, {{ day }}.morning_from), {{ day }}.morning_to) - {{ day }}.morning_from
            + (least(greatest({{ moment }}, {{ day }}.afternoon_from), {{ day }}.afternoon_to) - {{ day }}.afternoon_from)
        )
    )
{%- endmacro %}

{# Whole working minutes from one moment to another, each with the calendar row of its date. #}
{% macro working_minutes_between(earlier, earlier_day, later, later_day) -%}
    floor(
        ({{ worked_seconds_at(later, later_day) }} - {{ worked_seconds_at(earlier, earlier_day) }}) / 60
    )::integer
{%- endmacro %}

{#
    When spans of time end. Each row of `spans` with three columns more: ends_at, clock (working or natural) and
    is_provisional. A row says from_at, amount, unit, starts (next_day, at_once) and has_24h_duty.

    workday                  ends at 24:00 of the Nth working day
    work_hour, work_minute   count within office hours; round the clock for a unit on duty round the clock
    day, hour, minute        natural time
    next_day                 counts from 24:00 of the day of from_at; at_once from the moment, of working days its own
                             day is the first

    A working span is provisional when a day that it rests on is not settled. Where the calendar does not reach, ends_at
    is null and the span provisional. An amount below zero counts back.
#}
{% macro span_ends(spans, calendar) -%}
    (
        with begun as (
            select
                spans.*,
                first_day.unsettled_before,
                first_day.workday_minutes * 60 as workday_seconds,
                case
                    when spans.unit = 'workday' then 'working'
                    when spans.unit in ('work_hour', 'work_minute') and not spans.has_24h_duty then 'working'
                    else 'natural'
                end as clock,
                case spans.starts
                    when 'next_day' then {{ end_of_day(local_date('spans.from_at')) }}
                    else spans.from_at
                end as counts_from_at,
                case spans.starts
                    when 'next_day' then first_day.workday_no
                    else first_day.workday_no - first_day.is_workday::integer
                end as workdays_before,
                -- one hour is 3,600 seconds in every zone; an interval of a day is not
                spans.amount * case
                    when spans.unit = 'day' then 86400
                    when spans.unit in ('hour', 'work_hour') then 3600
                    when spans.unit in ('minute', 'work_minute') then 60
                end as seconds,
                case
                    when spans.unit not in ('work_hour', 'work_minute') then 0
                    when spans.starts = 'next_day' then first_day.workday_no * first_day.workday_minutes * 60
                    else {{ worked_seconds_at('spans.from_at', 'first_day') }}
                end as worked_seconds
            from {{ spans }} as spans
            left join {{ calendar }} as first_day on {{ local_date('spans.from_at') }} = first_day.date_on
        ),

        reckoned as (
            select
                begun.*,
                case
                    when begun.clock = 'natural' then null
                    when begun.unit = 'workday' then begun.workdays_before + begun.amount
                    else ceil((begun.worked_seconds + begun.seconds) / begun.workday_seconds)::integer
                end as last_workday_no
            from begun
        )

        select
            reckoned.*,
            case
                when reckoned.clock = 'natural' then reckoned.counts_from_at + reckoned.seconds * interval '1 second'
                when reckoned.unit = 'workday' then last_day.ends_at
                else {{ moment_worked('reckoned.worked_seconds + reckoned.seconds', 'last_day') }}
            end as ends_at,
            reckoned.clock = 'working' and (
                last_day.date_on is null
                or last_day.unsettled_no > reckoned.unsettled_before
            ) as is_provisional
        from reckoned
        left join {{ calendar }} as last_day
            on last_day.is_workday and reckoned.last_workday_no = last_day.workday_no
    )
{%- endmacro %}

{# The first moment of `day` at which so many working seconds since the start of the calendar are done. #}
{% macro moment_worked(worked_seconds, day) -%}
    case
        when {{ worked_seconds }} - {{ day }}.worked_minutes_before * 60
            <= extract(epoch from {{ day }}.morning_to - {{ day }}.morning_from)
            then {{ day }}.morning_from
                + ({{ worked_seconds }} - {{ day }}.worked_minutes_before * 60) * interval '1 second'
        else {{ day }}.afternoon_to
            - (({{ day }}.worked_minutes_before + {{ day }}.workday_minutes) * 60 - ({{ worked_seconds }}))
            * interval '1 second'
    end
{%- endmacro %}
