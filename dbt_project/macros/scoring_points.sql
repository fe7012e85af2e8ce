-- noqa: disable=layout.indent
-- From counts to points, and what stands beside a rate. minhu/schemes/arithmetic.py says the same in fractions.

{#
    A quotient rounded half up (away from zero), by the integer division of twice its size: exact, whatever the numbers,
    so that 12.795 is not lost to a quotient that was cut before. The denominator must be above 0.
#}
{% macro half_up(numerator, denominator, decimals) -%}
    round(
        sign({{ numerator }})
        * div(
            2 * abs({{ numerator }}) * 10::numeric ^ {{ decimals }} + ({{ denominator }}),
            2 * ({{ denominator }})
        )
        * 10::numeric ^ (-{{ decimals }}),
        {{ decimals }}
    )
{%- endmacro %}

{#
    Counts turned into points by the numbers of their indicator: the columns of `terms`, of `counts` (as
    int_scoring__counts has them, and those named in `kept`), and

    value_numerator, value_denominator  what the scoring function reads; null where there is nothing to judge
    own_points                          what it gives; null where the indicator does not apply
#}
{% macro scored_counts(counts, terms, kept=[]) -%}
    {%- set key = ['unit_code', 'indicator_code'] + kept -%}
    select
        stepped.*,
        case
            when stepped.value_numerator is not null
                then {{ half_up(points_numerator(), points_denominator(), 'kept_decimals') }}
            when stepped.when_empty = 'full_points' then round(stepped.points_max, stepped.kept_decimals)
            when stepped.when_empty = 'zero' then round(0::numeric, stepped.kept_decimals)
        end as own_points
    from (
        select distinct on ({% for column in key %}valued.{{ column }}{{ ', ' if not loop.last }}{% endfor %})
            valued.*,
            (steps.data ->> 'points')::numeric as step_points
        from (
            select
                counted.*,
                case
                    when counted.is_percent and counted.rate_decimals is not null
                        then
                            {{ half_up('counted.counted_numerator', 'counted.counted_denominator', 'counted.rate_decimals') }}
                    else counted.counted_numerator
                end as value_numerator,
                case
                    when counted.is_percent and counted.rate_decimals is not null then 1
                    else counted.counted_denominator
                end as value_denominator
            from (
                select
                    terms.*,
                    counts.unit_code,
                    counts.numerator,
                    counts.denominator,
                    counts.is_external_denominator,
                    {%- for column in kept %}
                    counts.{{ column }},
                    {%- endfor %}
                    case
                        when terms.scoring_function = 'manual'
                            then coalesce(counts.entered, case when terms.entry = 'change' then 0 end)
                        when counts.denominator < terms.min_n then null
                        when terms.aggregate in ('count', 'sum') then counts.numerator
                        when terms.aggregate in ('median', 'p90') then counts.quantile
                        when counts.denominator > 0
                            then
                                counts.numerator
                                * case
                                    when terms.is_percent then 100 when terms.aggregate = 'per_10k' then 10000 else 1
                                end
                    end as counted_numerator,
                    case
                        when
                            terms.scoring_function <> 'manual'
                            and terms.aggregate not in ('count', 'sum', 'median', 'p90')
                            and counts.denominator > 0
                            then counts.denominator
                        else 1
                    end as counted_denominator
                from {{ counts }} as counts
                inner join {{ terms }} as terms
                    on counts.peer_group = terms.peer_group and counts.indicator_code = terms.indicator_code
            ) as counted
        ) as valued
        left join lateral jsonb_array_elements(valued.steps) with ordinality as steps (data, no)
            on
                valued.value_numerator >= (steps.data ->> 'at_least')::numeric * valued.value_denominator
                or valued.value_numerator <= (steps.data ->> 'at_most')::numeric * valued.value_denominator
        order by {% for column in key %}valued.{{ column }}, {% endfor %}steps.no
    ) as stepped
{%- endmacro %}

{#
    What a scoring function gives, as a numerator over points_denominator(): from the columns of indicator_terms, the
    value as value_numerator / value_denominator, and the points of the step reached. minhu/schemes/arithmetic.py says
    the same.
#}
{% macro points_numerator() -%}
    case scoring_function
        when 'proportional'
            then points_max * least(value_numerator, target * value_denominator)
        when 'linear_deduction'
            then
                greatest(
                    floor_points * value_denominator,
                    least(
                        points_max * value_denominator,
                        points_max * value_denominator
                        - per_point
                        * (target * value_denominator - value_numerator)
                        * case when better = 'lower' then -1 else 1 end
                    )
                )
        when 'per_item_deduction' then points_max - least(cap_points, per_item * value_numerator)
        when 'per_item_bonus' then least(cap_points, per_item * value_numerator)
        when 'steps' then coalesce(step_points, otherwise)
        when 'manual'
            then
                greatest(
                    floor_points,
                    least(
                        coalesce(cap_points, points_max),
                        value_numerator + case when entry = 'change' then points_max else 0 end
                    )
                )
    end
{%- endmacro %}

{% macro points_denominator() -%}
    case scoring_function
        when 'proportional' then target * value_denominator
        when 'linear_deduction' then value_denominator
        else 1
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

{#
    Whether a rate lies outside the control limits of its peer group, p ± z √(p(1−p)/n) with z for 95 % and 99.8 %, and on
    which side (Spiegelhalter 2005, doi 10.1002/sim.1970). Squared and multiplied out: no root, no division.
#}
{% macro funnel_flag() -%}
    {%- set off = '(numerator * group_denominator - group_numerator * denominator)' -%}
    {%- set spread = 'denominator * group_numerator * (group_denominator - group_numerator)' -%}
    case
        when {{ off }} ^ 2 > 3.090232 ^ 2 * {{ spread }}
            then case when {{ off }} > 0 then 'high_99_8' else 'low_99_8' end
        when {{ off }} ^ 2 > 1.959964 ^ 2 * {{ spread }}
            then case when {{ off }} > 0 then 'high_95' else 'low_95' end
    end
{%- endmacro %}

{#
    A rate drawn towards that of its peer group, in percent, the more the fewer cases stand behind it (empirical Bayes):
    the variance between units, by the method of moments, against that of chance. `between_units` 0: all units are alike.
#}
{% macro shrunken() -%}
    round(
        100
        * (
            group_rate
            + (numerator / nullif(denominator, 0) - group_rate)
            * coalesce(
                between_units
                / nullif(between_units + group_rate * (1 - group_rate) / nullif(denominator, 0), 0),
                0
            )
        ),
        4
    )
{%- endmacro %}

{# Whether the period is the mean of shorter ones, and not computed from its own rows. #}
{% macro is_mean_of_parts() -%}
    {{ 'true' if var('parts', []) else 'false' }}
{%- endmacro %}

{# The scores that a longer period is the mean of, as the driver lists them. #}
{% macro parts_of_the_period() -%}
    (
        select
            scheme_id,
            scheme_version,
            period
        from {{ source('mart', 'score_run') }}
        where
            scheme_id = '{{ var("scheme_id") }}'
            and scheme_version || ' ' || period in (
                ''
                {%- for part in var('parts', []) %},
                '{{ part.scheme_version }} {{ part.period }}'
                {%- endfor %}
            )
    )
{%- endmacro %}
