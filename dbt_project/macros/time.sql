{# The city's date of a moment, whatever zone the session is in. #}
{% macro local_date(moment) -%}
    (({{ moment }}) at time zone 'Asia/Shanghai')::date
{%- endmacro %}

{# The moment a date ends: 24:00 in the city. #}
{% macro end_of_day(date_on) -%}
    (({{ date_on }} + 1)::timestamp at time zone 'Asia/Shanghai')
{%- endmacro %}

{#
    Working minutes from the start of the calendar to a moment: full working days before it, and what of its own day
    lies inside office hours. The difference of two of these is the working time between two moments.
    `day` is the calendar row of the moment's date, `city` the row of stg_city.
#}
{% macro working_minutes_at(moment, day, city) -%}
    (
        ({{ day }}.workday_no - {{ day }}.is_workday::integer) * {{ minutes_of(city ~ '.morning_to - ' ~ city ~ '.morning_from + '
            ~ city ~ '.afternoon_to - ' ~ city ~ '.afternoon_from') }}
        + {{ day }}.is_workday::integer * {{ minutes_of(
            'least(greatest(' ~ time_of_day(moment) ~ ', ' ~ city ~ '.morning_from), ' ~ city ~ '.morning_to) - ' ~ city
            ~ '.morning_from + least(greatest(' ~ time_of_day(moment) ~ ', ' ~ city ~ '.afternoon_from), ' ~ city
            ~ '.afternoon_to) - ' ~ city ~ '.afternoon_from') }}
    )
{%- endmacro %}

{% macro time_of_day(moment) -%}
    ((({{ moment }}) at time zone 'Asia/Shanghai')::time::interval)
{%- endmacro %}

{% macro minutes_of(span) -%}
    (extract(epoch from {{ span }}) / 60)
{%- endmacro %}
