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
