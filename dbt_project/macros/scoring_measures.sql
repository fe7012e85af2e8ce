-- noqa: disable=layout.indent

{#
    Cases that count for nobody, with the reason. Joined apart from the case's own columns: those are asked for by few
    schemes, and a left join behind columns that nobody asks for costs nothing.
#}
{% macro excluded_cases() -%}
    select
        case_id,
        coalesce(exclusion_reason, 'excluded') as exclusion_reason
    from {{ source('mart', 'fct_case') }}
    where is_excluded
{%- endmacro %}

{#
    What is excluded for single indicators, one row per `key` (assignment_id or case_id) and indicator, with the reason of
    the newest exclusion. Those of a case are the ones that name no assignment.
#}
{% macro excluded_indicators(key) -%}
    select distinct on (exclusions.{{ key }}, listed.indicator_code)
        exclusions.{{ key }},
        listed.indicator_code,
        exclusions.reason_code
    from {{ source('mart', 'fct_exclusion') }} as exclusions
    cross join lateral unnest(exclusions.indicator_codes) as listed (indicator_code)
    where exclusions.assignment_id is {{ 'null' if key == 'case_id' else 'not null' }}
    order by
        exclusions.{{ key }} asc, listed.indicator_code asc, exclusions.decided_at desc, exclusions.exclusion_id asc
{%- endmacro %}

{# Why an assignment, and what was said about it, counts against nobody. The first reason that holds is named. #}
{% macro assignment_exclusion(assignments, excluded_cases) -%}
    coalesce(
        {{ assignments }}.void_reason,
        case when {{ assignments }}.voided_at is not null then 'voided' end,
        {{ assignments }}.exclusion_reason,
        {{ excluded_cases }}.exclusion_reason
    )
{%- endmacro %}

{# Only the lead unit answers for the case as a whole. #}
{% macro support_exclusion(assignments) -%}
    case when {{ assignments }}.unit_role = 'support' then 'support_unit' end
{%- endmacro %}

{# Why a callback says nothing about one of its questions. `answers`: the codes that do. #}
{% macro unrated(callbacks, code, answers) -%}
    case
        when {{ callbacks }}.reach_code = 'refused' then 'refused'
        when {{ callbacks }}.is_reached is false then 'not_reached'
        when {{ callbacks }}.{{ code }} is null then 'unrated'
        when
            {{ callbacks }}.{{ code }} not in (
                {%- for answer in answers %}
                '{{ answer }}'{{ ',' if not loop.last }}
                {%- endfor %}
            )
            then 'unrated'
    end
{%- endmacro %}

{# One violation found by the inspectors (效能督查), whatever the unit's role. One row per finding. #}
{% macro violation_measure(measure_code, violation_code) -%}
with violations as (
    select * from {{ source('mart', 'fct_violation') }}
),

assignments as (
    select * from {{ source('mart', 'fct_timeliness') }}
),

cases as (
    select * from {{ source('mart', 'fct_case') }}
),

excluded_cases as (
    {{ excluded_cases() }}
),

final as (
    select
        '{{ measure_code }}' as measure_code,
        'violation' as subject_kind,
        violations.violation_id as subject_id,
        violations.case_id,
        violations.assignment_id,
        null::text as callback_id,
        violations.unit_code,
        cases.received_at,
        assignments.dispatched_at,
        coalesce(assignments.extended_due_at, assignments.due_at) as due_at,
        assignments.closed_at,
        null::timestamptz as called_at,
        violations.found_at as occurred_at,
        1::numeric as numerator_value,
        1::numeric as denominator_value,
        {{ assignment_exclusion('assignments', 'excluded_cases') }} as excluded_reason
    from violations
    left join cases on violations.case_id = cases.case_id
    left join excluded_cases on violations.case_id = excluded_cases.case_id
    left join assignments on violations.assignment_id = assignments.assignment_id
    where violations.violation_code = '{{ violation_code }}'
)

select * from final
{%- endmacro %}
