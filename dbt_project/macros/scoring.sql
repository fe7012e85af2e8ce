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

{# A scheme that nobody has put into force, as its driver gives it: base64 of its entry. For a what-if alone. #}
{% macro changed_scheme(runs) -%}
    select
        scheme_id,
        scheme_version,
        period,
        starts_at,
        ends_at,
        as_of,
        convert_from(decode('{{ var("changed_scheme") }}', 'base64'), 'UTF8')::jsonb as data
    from {{ runs }}
{%- endmacro %}

{# The indicators of scored schemes: what they count, without the numbers that differ by peer group and date. #}
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
        nullif(listed.data -> 'peer_groups', 'null') as peer_groups,
        listed.data ->> 'support_units' = 'in' as counts_support,
        nullif(listed.data -> 'answers' -> 'weights', 'null') as weights,
        nullif(listed.data -> 'answers' -> 'recheck', '[]') as recheck,
        coalesce(listed.data -> 'answers' ->> 'take', 'every') as take
    from {{ schemes }} as schemes
    cross join lateral jsonb_array_elements(schemes.data -> 'indicators') as listed (data)
{%- endmacro %}

{#
    The numbers of each indicator for each peer group that it scores, in force on the first day of the period, or of the
    scheme, where that begins within the period: of the entries of a parameter the latest, one that names the peer group
    before one for all.
#}
{% macro indicator_terms(schemes) -%}
    select
        declared.scheme_id,
        declared.scheme_version,
        declared.period,
        declared.peer_group,
        declared.indicator_code,
        declared.measure_code,
        declared.aggregate,
        declared.moment,
        declared.scoring ->> 'function' as scoring_function,
        coalesce(declared.scoring ->> 'better', 'higher') as better,
        declared.scoring ->> 'entry' as entry,
        declared.scoring -> 'steps' as steps,
        (declared.scoring ->> 'otherwise')::numeric as otherwise,
        declared.when_empty,
        declared.measure_code is not null
        and (declared.aggregate in ('rate', 'share') or declared.weights is not null) as is_percent,
        declared.measure_code is not null
        and declared.moment not in ('received_at', 'dispatched_at')
        and declared.aggregate not in ('share', 'per_10k') as judges,
        declared.rate_decimals,
        declared.kept_decimals,
        max(in_force.value) filter (where in_force.name = 'points') as points_max,
        max(in_force.value) filter (where in_force.name = 'target') as target,
        max(in_force.value) filter (where in_force.name = 'per_point') as per_point,
        max(in_force.value) filter (where in_force.name = 'floor') as floor_points,
        max(in_force.value) filter (where in_force.name = 'per_item') as per_item,
        max(in_force.value) filter (where in_force.name = 'cap') as cap_points,
        max(in_force.value) filter (where in_force.name = 'min_n') as min_n
    from (
        select
            schemes.scheme_id,
            schemes.scheme_version,
            schemes.period,
            peers.data ->> 'code' as peer_group,
            listed.data ->> 'code' as indicator_code,
            listed.data ->> 'measure' as measure_code,
            listed.data ->> 'aggregate' as aggregate,
            listed.data ->> 'moment' as moment,
            listed.data ->> 'when_empty' as when_empty,
            nullif(listed.data -> 'answers' -> 'weights', 'null') as weights,
            listed.data -> 'scoring' as scoring,
            listed.data -> 'parameters' as parameters,
            (schemes.data -> 'rounding' ->> 'rate_decimals')::integer as rate_decimals,
            case
                when schemes.data -> 'rounding' ->> 'order' = 'sum_first' then 12
                else (schemes.data -> 'rounding' ->> 'decimals')::integer
            end as kept_decimals,
            greatest(
                (schemes.starts_at at time zone (schemes.data ->> 'timezone'))::date,
                (schemes.data ->> 'valid_from')::date
            ) as first_day
        from {{ schemes }} as schemes
        cross join lateral jsonb_array_elements(schemes.data -> 'indicators') as listed (data)
        cross join lateral jsonb_array_elements(schemes.data -> 'peer_groups') as peers (data)
        where
            nullif(listed.data -> 'peer_groups', 'null') is null
            or listed.data -> 'peer_groups' ? (peers.data ->> 'code')
    ) as declared
    cross join lateral (
        select distinct on (given.name)
            given.name,
            (entries.data ->> 'value')::numeric as value
        from jsonb_each(declared.parameters) as given (name, list)
        cross join lateral jsonb_array_elements(given.list) as entries (data)
        where {{ entry_fits('entries.data', 'declared.peer_group', 'declared.first_day') }}
        order by given.name asc, {{ best_entry_first('entries.data') }}
    ) as in_force
    group by
        declared.scheme_id,
        declared.scheme_version,
        declared.period,
        declared.peer_group,
        declared.indicator_code,
        declared.measure_code,
        declared.aggregate,
        declared.moment,
        declared.scoring,
        declared.when_empty,
        declared.weights,
        declared.rate_decimals,
        declared.kept_decimals
{%- endmacro %}

{# Whether an entry of a parameter speaks of a peer group on a day. #}
{% macro entry_fits(entry, peer_group, day) -%}
    coalesce(({{ entry }} ->> 'since')::date <= {{ day }}, true)
    and (nullif({{ entry }} -> 'peer_groups', 'null') is null or {{ entry }} -> 'peer_groups' ? {{ peer_group }})
{%- endmacro %}

{# The order in which the first of the fitting entries is the one in force. #}
{% macro best_entry_first(entry) -%}
    nullif({{ entry }} -> 'peer_groups', 'null') is null asc, ({{ entry }} ->> 'since')::date desc nulls last
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
        units.unit_key,
        units.peer_group,
        units.population,
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
      - what it judges had happened by then: as the measure says, or as the scheme weighs the answer
      - its limit had passed by then and it had not happened: late, 0
      - neither: not yet to be judged, so not in the period

    The scheme may let support units answer too, take the first or the last of several answers about an assignment, and
    count certain answers only when they were confirmed (不满意复核).

    `moments` ({measure: [moment, ...]}) says that only one run is asked for, and what its scheme counts by what. That
    changes no result: it leaves out what cannot match, down to the joins behind unused columns, and the literal dates
    tell the planner how little of the facts is needed.
#}
{% macro counted_rows(indicators, moments=none) -%}
    {%- for code in (measure_codes() if moments is none else moments) %}
    {%- set used = event_moments() + ['due_at'] if moments is none else moments[code] %}
    {%- set is_asked_again = code in var('answered' if moments is none else 'asked_again', []) %}
    select
        indicators.scheme_id,
        indicators.scheme_version,
        indicators.period,
        indicators.indicator_code,
        indicators.peer_groups,
        measure.unit_code,
        measure.subject_kind,
        measure.subject_id,
        measure.case_id,
        measure.assignment_id,
        measure.callback_id,
        case
            when judged.excluded_reason is not null then 0
            when measure.numerator_value is not null and coalesce(measure.occurred_at <= indicators.as_of, true)
                then coalesce((indicators.weights ->> measure.answer_code)::numeric, measure.numerator_value)
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
    {%- if is_asked_again %}
    left join lateral (
        select
            bool_or((others.called_at, others.subject_id) < (measure.called_at, measure.subject_id)) as is_earlier,
            bool_or((others.called_at, others.subject_id) > (measure.called_at, measure.subject_id)) as is_later,
            bool_or(
                (others.called_at, others.subject_id) < (measure.called_at, measure.subject_id)
                and indicators.recheck ? others.answer_code
            ) as is_confirmed
        from {{ ref('measure_' ~ code) }} as others
        where
            (indicators.take <> 'every' or indicators.recheck is not null)
            and measure.case_id = others.case_id
            and measure.assignment_id = others.assignment_id
            and others.called_at <= indicators.as_of
            and others.answer_code is not null
            and (others.excluded_reason is null or others.excluded_reason = 'support_unit')
    ) as told on true
    {%- endif %}
    cross join lateral (
        select
            case
                when measure.excluded_reason <> 'support_unit' or not indicators.counts_support
                    then measure.excluded_reason
                when measure.callback_id is not null and measure.answer_code is null then 'unrated'
            end as excluded_reason
    ) as common
    cross join lateral (
        select
            case
                when common.excluded_reason is not null then common.excluded_reason
                when of_assignment.reason_code is not null then of_assignment.reason_code
                when of_case.reason_code is not null then of_case.reason_code
                when not coalesce(indicators.weights ? measure.answer_code, indicators.weights is null)
                    then 'not_weighed'
                {%- if is_asked_again %}
                when indicators.take = 'first' and told.is_earlier then 'not_the_first'
                when indicators.take = 'last' and told.is_later then 'not_the_last'
                when indicators.recheck ? measure.answer_code and not coalesce(told.is_confirmed, false)
                    then case when told.is_later then 'rechecked' else 'recheck_due' end
                {%- endif %}
            end as excluded_reason
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
    where counted.peer_groups is null or counted.peer_groups ? units.peer_group
{%- endmacro %}

{# Moments at which something happened; `due_at` is the end of a limit and has its own edges. #}
{% macro event_moments() -%}
    {{ return(['received_at', 'dispatched_at', 'closed_at', 'called_at', 'occurred_at']) }}
{%- endmacro %}
