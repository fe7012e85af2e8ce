-- noqa: disable=layout.indent
-- Loops write the SQL here; what they write is indented where it lands.

{#
    The measures that exist, by code. The driver of scoring lists the files of models/scoring/measures; a list written
    here would be a second registry. It reaches dbt as a var because refs must be known when the project is parsed.
#}
{% macro measure_codes() -%}
    {% if execute and not var('measures', []) %}
        {{ exceptions.raise_compiler_error("no measures given: scoring is driven by `minhu score`") }}
    {% endif %}
    {{ return(var('measures', [])) }}
{%- endmacro %}

{# The scheme each run was scored by: the entry in force at its config_version. Columns of the run, and data. #}
{% macro scored_schemes(runs) -%}
    select
        runs.scheme_id,
        runs.scheme_version,
        runs.period,
        runs.starts_at,
        runs.ends_at,
        runs.as_of,
        entries.data
    from {{ runs }} as runs
    inner join {{ source('config', 'entry') }} as entries
        on
            entries.kind = 'scheme'
            and entries.key = runs.scheme_id
            and entries.data ->> 'scheme_version' = runs.scheme_version
            and entries.since_version <= runs.config_version
            and (entries.until_version is null or entries.until_version > runs.config_version)
{%- endmacro %}

{# The indicators of scored schemes, typed. #}
{% macro scored_indicators(schemes) -%}
    select
        schemes.scheme_id,
        schemes.scheme_version,
        schemes.period,
        schemes.starts_at,
        schemes.ends_at,
        schemes.as_of,
        listed.data ->> 'code' as indicator_code,
        listed.data ->> 'measure' as measure_code,
        listed.data ->> 'moment' as moment,
        listed.data ->> 'aggregate' as aggregate,
        (listed.data ->> 'points')::numeric as points_max,
        listed.data -> 'scoring' ->> 'function' as scoring_function,
        (listed.data -> 'scoring' ->> 'target')::numeric as target,
        (listed.data -> 'scoring' ->> 'per_point')::numeric as per_point,
        (listed.data -> 'scoring' ->> 'floor')::numeric as floor_points,
        listed.data -> 'scoring' ->> 'better' as better,
        (listed.data -> 'scoring' ->> 'per_item')::numeric as per_item,
        (listed.data -> 'scoring' ->> 'cap')::numeric as cap_points,
        (schemes.data -> 'rounding' ->> 'decimals')::integer as decimals
    from {{ schemes }} as schemes
    cross join lateral jsonb_array_elements(schemes.data -> 'indicators') as listed (data)
{%- endmacro %}

{#
    The units that scored schemes assess: those of their peer groups, as the register had them on the last day of the
    period.
#}
{% macro scored_units(schemes) -%}
    select
        schemes.scheme_id,
        schemes.scheme_version,
        schemes.period,
        units.unit_code,
        units.peer_group,
        (listed.data ->> 'points')::numeric as group_points
    from {{ schemes }} as schemes
    cross join lateral jsonb_array_elements(schemes.data -> 'peer_groups') as listed (data)
    inner join {{ source('mart', 'dim_unit') }} as units
        on
            units.peer_group = listed.data ->> 'code'
            and units.valid_from <= (schemes.ends_at at time zone (schemes.data ->> 'timezone'))::date - 1
            and (
                units.valid_to is null
                or units.valid_to > (schemes.ends_at at time zone (schemes.data ->> 'timezone'))::date - 1
            )
{%- endmacro %}

{#
    What schemes made of the measure rows in the periods of `indicators` (of scored_indicators): one pass for each
    measure, for all units.

    A row belongs to the period in which its moment lies. A limit that ends at 24:00 of the last day belongs to the
    period which that day closes, so `due_at` counts from after the start to the end, every other moment from the start
    to before the end.

    What a row counts is judged as of `as_of`, never as of today:
      - excluded, by the measure or for this indicator by a decision: it stays visible and counts 0 of 0
      - what it judges had happened by then: as the measure says
      - its limit had passed by then and it had not happened: late, 0
      - neither: not yet to be judged, so not in the period

    `moments` ({measure: [moment, ...]}) says that only one run is asked for, and what its scheme counts by what. That
    changes no result: it leaves out what cannot match, down to the joins behind unused columns, and the literal dates
    tell the planner how little of the facts is needed.
#}
{% macro counted_rows(indicators, moments=none) -%}
    {%- for code in (measure_codes() if moments is none else moments) %}
    {%- set used = event_moments() + ['due_at'] if moments is none else moments[code] %}
    select
        indicators.scheme_id,
        indicators.scheme_version,
        indicators.period,
        indicators.indicator_code,
        measure.unit_code,
        measure.subject_kind,
        measure.subject_id,
        measure.case_id,
        measure.assignment_id,
        measure.callback_id,
        case
            when judged.excluded_reason is not null then 0
            when measure.numerator_value is not null and coalesce(measure.occurred_at <= indicators.as_of, true)
                then measure.numerator_value
            else 0
        end::numeric as numerator_value,
        case when judged.excluded_reason is null then measure.denominator_value else 0 end::numeric
            as denominator_value,
        judged.excluded_reason,
        measure.due_at,
        measure.occurred_at
    from {{ ref('measure_' ~ code) }} as measure
    inner join {{ indicators }} as indicators on indicators.measure_code = '{{ code }}'
    left join ({{ excluded_indicators('assignment_id') }}) as of_assignment
        on
            measure.assignment_id = of_assignment.assignment_id
            and indicators.indicator_code = of_assignment.indicator_code
    left join ({{ excluded_indicators('case_id') }}) as of_case
        on measure.case_id = of_case.case_id and indicators.indicator_code = of_case.indicator_code
    cross join lateral (
        select coalesce(measure.excluded_reason, of_assignment.reason_code, of_case.reason_code) as excluded_reason
    ) as judged
    where
        case indicators.moment
            {%- for moment in used %}
            {%- if moment == 'due_at' %}
            when 'due_at' then measure.due_at > indicators.starts_at and measure.due_at <= indicators.as_of
            {%- else %}
            when '{{ moment }}'
                then
                    measure.{{ moment }} >= indicators.starts_at
                    and measure.{{ moment }} < indicators.ends_at
                    and measure.{{ moment }} <= indicators.as_of
            {%- endif %}
            {%- endfor %}
        end
        and (
            judged.excluded_reason is not null
            or (measure.numerator_value is not null and coalesce(measure.occurred_at <= indicators.as_of, true))
            or (
                indicators.aggregate = 'rate'
                and measure.subject_kind = 'assignment'
                and measure.due_at <= indicators.as_of
            )
        )
        {%- if moments is not none %}
        and (
            {%- for moment in used %}
            {{ 'or ' if not loop.first }}measure.{{ moment }} between '{{ var("starts_at") }}' and '{{ var("as_of") }}'
            {%- endfor %}
        )
        {%- endif %}
    {{ 'union all' if not loop.last }}
    {%- endfor %}
{%- endmacro %}

{# The counted rows of the units that the schemes assess, by the `keys` of both: the columns of fct_indicator_case. #}
{% macro rows_of_scored_units(counted, units, keys) -%}
    select
        counted.scheme_id,
        counted.scheme_version,
        counted.period,
        counted.unit_code,
        counted.indicator_code,
        counted.subject_kind,
        counted.subject_id,
        counted.case_id,
        counted.assignment_id,
        counted.callback_id,
        counted.numerator_value,
        counted.denominator_value,
        counted.excluded_reason,
        counted.due_at,
        counted.occurred_at
    from {{ counted }} as counted
    inner join {{ units }} as units
        on
            {% for key in keys -%}
            {{ 'and ' if not loop.first }}counted.{{ key }} = units.{{ key }}
            {% endfor %}
{%- endmacro %}

{# Moments at which something happened; `due_at` is the end of a limit and has its own edges. #}
{% macro event_moments() -%}
    {{ return(['received_at', 'dispatched_at', 'closed_at', 'called_at', 'occurred_at']) }}
{%- endmacro %}

{#
    Points of one indicator before rounding, from the columns of scored_indicators, numerator and denominator. Each
    function is brought over one division, so that a result that lies exactly on a half is not lost to a rounded
    quotient: 30 × 853 / 2000 is 12.795 and becomes 12.80.
#}
{% macro points_of() -%}
    case
        when scoring_function = 'per_item_deduction'
            then points_max - least(cap_points, per_item * numerator)
        when denominator = 0 then null  -- least() and greatest() would skip a null and give full points
        when scoring_function = 'proportional'
            then
                least(
                    points_max,
                    points_max * 100 * numerator
                    / (target * denominator)
                )
        when scoring_function = 'linear_deduction'
            then
                greatest(
                    floor_points,
                    least(
                        points_max,
                        (
                            points_max * denominator
                            - per_point
                            * (target * denominator - 100 * numerator)
                            * case when better = 'lower' then -1 else 1 end
                        )
                        / denominator
                    )
                )
    end
{%- endmacro %}

{# One end of Wilson's 95 % interval of a rate, as a share of 1. `sign` is - for the lower end, + for the upper. #}
{% macro wilson(numerator, denominator, sign) -%}
    {%- set z = '1.959964' -%}
    round(
        (
            {{ numerator }} + {{ z }} ^ 2 / 2
            {{ sign }} {{ z }} * sqrt(
                {{ numerator }} * ({{ denominator }} - {{ numerator }}) / nullif({{ denominator }}, 0) + {{ z }} ^ 2 / 4
            )
        )
        / nullif({{ denominator }} + {{ z }} ^ 2, 0),
        4
    )
{%- endmacro %}
