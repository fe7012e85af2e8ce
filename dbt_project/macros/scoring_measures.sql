-- noqa: disable=layout.indent
-- What every measure has in common. A measure says what it counts; the columns of the row, the joins behind them and
-- what counts for nobody are written here.

{#
    One row per assignment. The SQL in the arguments may name `assignments` (fct_timeliness with judged_due_at, the
    limit that a row stands by) and `cases` (fct_case).

    numerator    what the row adds above; null while it cannot be told
    occurred_at  when what is judged happened; later than the period is scored it has not happened yet
    due_at       from when on a row that has not happened counts 0: the limit; the dispatch, where nothing is waited
                 for; null, where what has not happened does not count
    only         which assignments have a row at all
    uncounted    a reason of the measure's own why a row counts 0 of 0
    excluded     whether what was excluded counts for nobody, as it does everywhere but in the share of it
    is_closing   whether it judges the close: then what was returned on a request after its limit counts late
#}
{% macro measure_of_assignments(
    measure_code,
    numerator,
    occurred_at='null',
    due_at='assignments.judged_due_at',
    only='true',
    uncounted='null',
    excluded=true,
    is_closing=false,
    answer_code='null'
) -%}
with {{ measured_facts() }},

final as (
    select
        {{ measure_row(
            measure_code, 'assignment', 'assignments.assignment_id', 'assignments', numerator, occurred_at, due_at
        ) }},
        coalesce(
            {{ assignment_exclusion('assignments', 'excluded_cases', is_closing) if excluded else void_reason('assignments') }},
            {{ uncounted }},
            {{ support_exclusion('assignments') }}
        ) as excluded_reason,
        {{ answer_code }}::text as answer_code
    from assignments
    left join cases on assignments.case_id = cases.case_id
    left join excluded_cases on assignments.case_id = excluded_cases.case_id
    where {{ only }}
)

select * from final
{%- endmacro %}

{#
    One row per callback. The SQL in the arguments may name `callbacks` (fct_satisfaction) too.

    question     the column of its answer; a callback that brought none of `answers` counts for nobody
    beside       the column of a second answer that it must have brought, too
    answer_code  the answer that a scheme may weigh; null where there is none
#}
{% macro measure_of_callbacks(
    measure_code, numerator, answer_code, question=none, answers=[], only='true', beside=none
) -%}
with callbacks as (
    select * from {{ source('mart', 'fct_satisfaction') }}
),

{{ measured_facts() }},

final as (
    select
        {{ measure_row(
            measure_code, 'callback', 'callbacks.callback_id', 'callbacks', numerator, 'callbacks.called_at',
            'assignments.judged_due_at', 'callbacks.callback_id', 'callbacks.called_at'
        ) }},
        coalesce(
            {{ assignment_exclusion('assignments', 'excluded_cases') }},
            {{ support_exclusion('assignments') }},
            {{ unrated('callbacks', question, answers) if question else 'null' }}{{ ',' if beside }}
            {%- if beside %}
            {{ unrated('callbacks', beside, answers) }}
            {%- endif %}
        ) as excluded_reason,
        {%- if question %}
        case
            when {{ unrated('callbacks', question, answers) }} is null
                {%- if beside %}
                and {{ unrated('callbacks', beside, answers) }} is null
                {%- endif %}
                then {{ answer_code }}
        end as answer_code
        {%- else %}
        {{ answer_code }} as answer_code
        {%- endif %}
    from callbacks
    left join cases on callbacks.case_id = cases.case_id
    left join excluded_cases on callbacks.case_id = excluded_cases.case_id
    left join assignments on callbacks.assignment_id = assignments.assignment_id
    where {{ only }}
)

select * from final
{%- endmacro %}

{# One row per finding of the inspectors (效能督查认定) of one kind, whatever the unit's role. #}
{% macro measure_of_violations(measure_code, violation_code) -%}
with violations as (
    select * from {{ source('mart', 'fct_violation') }}
),

{{ measured_facts() }},

final as (
    select
        {{ measure_row(
            measure_code, 'violation', 'violations.violation_id', 'violations', '1', 'violations.found_at',
            'assignments.judged_due_at'
        ) }},
        {{ assignment_exclusion('assignments', 'excluded_cases') }} as excluded_reason,
        null::text as answer_code
    from violations
    left join cases on violations.case_id = cases.case_id
    left join excluded_cases on violations.case_id = excluded_cases.case_id
    left join assignments on violations.assignment_id = assignments.assignment_id
    where violations.violation_code = '{{ violation_code }}'
)

select * from final
{%- endmacro %}

{#
    The facts behind every measure. Excluded cases are joined apart from the case's own columns: those are asked for by
    few schemes, and a left join behind columns that nobody asks for costs nothing.
#}
{% macro measured_facts() -%}
assignments as (
    select
        *,
        -- where the limit in force lies beyond the calendar the first one stands in: closed by then is in time
        case when is_limit_unknown then due_at else due_in_force_at end as judged_due_at
    from {{ source('mart', 'fct_timeliness') }}
),

cases as (
    select * from {{ source('mart', 'fct_case') }}
),

excluded_cases as (
    select
        case_id,
        coalesce(exclusion_reason, 'excluded') as exclusion_reason
    from {{ source('mart', 'fct_case') }}
    where is_excluded
)
{%- endmacro %}

{# The columns of a measure row up to its excluded_reason. `answering`: who says case, assignment and unit. #}
{% macro measure_row(
    measure_code,
    subject_kind,
    subject_id,
    answering,
    numerator,
    occurred_at,
    due_at,
    callback_id='null',
    called_at='null'
) -%}
        '{{ measure_code }}' as measure_code,
        '{{ subject_kind }}' as subject_kind,
        {{ subject_id }} as subject_id,
        {{ answering }}.case_id,
        {{ answering }}.assignment_id,
        {{ callback_id }}::text as callback_id,
        {{ answering }}.unit_code,
        cases.received_at,
        assignments.dispatched_at,
        {{ due_at }}::timestamptz as due_at,
        assignments.closed_at,
        {{ called_at }}::timestamptz as called_at,
        {{ occurred_at }}::timestamptz as occurred_at,
        ({{ numerator }})::numeric as numerator_value,
        1::numeric as denominator_value
{%- endmacro %}

{# Columns of the common row that a measure leaves empty, each as `null::<type> as <name>`. #}
{% macro nulls(columns, type) -%}
    null::{{ type }} as {{ columns | join(',\n    null::' ~ type ~ ' as ') }}
{%- endmacro %}

{# Why an assignment ceased to count: it was returned, merged, … #}
{% macro void_reason(assignments) -%}
    coalesce({{ assignments }}.void_reason, case when {{ assignments }}.voided_at is not null then 'voided' end)
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

{#
    Why an assignment, and what was said about it, counts against nobody. The first reason that holds is named. A return
    asked for after the limit excuses no close.
#}
{% macro assignment_exclusion(assignments, excluded_cases, is_closing=false) -%}
    coalesce(
        {% if is_closing -%}
        case when {{ assignments }}.is_late_at_return is not true then {{ void_reason(assignments) }} end,
        {%- else -%}
        {{ void_reason(assignments) }},
        {%- endif %}
        {{ assignments }}.exclusion_reason, {{ excluded_cases }}.exclusion_reason
    )
{%- endmacro %}

{#
    A duty whose place another took before its limit, and before `done` had happened, counts for nobody. Taken over after
    the limit it was missed.
#}
{% macro superseded(assignments, done, due_at) -%}
    case
        when
            {{ assignments }}.end_reason = 'superseded'
            and {{ assignments }}.{{ done }} is null
            and coalesce({{ assignments }}.ended_at <= {{ assignments }}.{{ due_at }}, true)
            then 'superseded'
    end
{%- endmacro %}

{% macro superseded_close(assignments) -%}
    {{ superseded(assignments, 'closed_in_time_at', 'judged_due_at') }}
{%- endmacro %}

{# Only the lead unit answers for the case as a whole. #}
{% macro support_exclusion(assignments) -%}
    case when {{ assignments }}.unit_role = 'support' then 'support_unit' end
{%- endmacro %}

{#
    An extension into days that the calendar does not have yet: closed by the first limit is in time, and more cannot be
    said. A row apart, so that it is seen.
#}
{% macro limit_unknown(assignments) -%}
    case
        when {{ assignments }}.is_limit_unknown and {{ assignments }}.is_closed_on_time is not true then 'limit_unknown'
    end
{%- endmacro %}

{# The answers on either scale, best first, and whether one is as good as the citizen could wish. #}
{% macro ratings() -%}
    {{ return(['very_satisfied', 'satisfied', 'basically_satisfied', 'neutral', 'dissatisfied', 'very_dissatisfied']) }}
{%- endmacro %}

{% macro is_pleased(answer) -%}
    ({{ answer }} in ('very_satisfied', 'satisfied', 'basically_satisfied'))
{%- endmacro %}

{# Which of the two pleased the citizen, the result or the treatment. #}
{% macro pleased_by(result, treatment) -%}
    case
        when {{ is_pleased(result) }} and {{ is_pleased(treatment) }} then 'both'
        when {{ is_pleased(result) }} then 'result'
        when {{ is_pleased(treatment) }} then 'treatment'
        else 'neither'
    end
{%- endmacro %}

{#
    Why a callback says nothing about one of its questions. `answers`: the codes that do. Of a row that says both, whom the
    code calls reached was reached.
#}
{% macro unrated(callbacks, code, answers) -%}
    case
        when {{ callbacks }}.reach_code = 'refused' then 'refused'
        when coalesce({{ callbacks }}.reach_code = 'unreachable', {{ callbacks }}.is_reached is false) then 'not_reached'
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
