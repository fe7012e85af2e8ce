-- What the scheme made of the measure rows of the run being scored: the rows behind each number. One pass for each
-- measure, for all units. `minhu score` hands the table over to mart.counted_row, where mart.fct_indicator_case shows
-- it.
--
-- A row belongs to the period in which its moment lies. A limit that ends at 24:00 of the last day belongs to the
-- period which that day closes, so `due_at` counts from after the start to the end, every other moment from the start
-- to before the end.
--
-- What a row counts is judged as of `as_of`, never as of today:
--   - excluded, by the measure or for this indicator by a decision: it stays visible and counts 0 of 0
--   - what it judges had happened by then: as the measure says, or as the scheme weighs the answer
--   - its limit had passed by then and it had not happened: late, 0
--   - neither: not yet to be judged, so not in the period
--
-- The scheme may let support units answer too, take the first or the last of several answers about an assignment, and
-- count certain answers only when they were confirmed (不满意复核).
--
-- The var `moments` ({measure: [moment, ...]}) says what the scheme counts by what. That changes no result: it leaves
-- out what cannot match, down to the joins behind unused columns, and the literal dates tell the planner how little of
-- the facts is needed.
-- noqa: disable=layout.indent,structure.subquery
{{ config(unlogged=false, contract={'enforced': true}) }}

with counted as (
    {%- set moments = var('moments', {}) %}
    {%- for code in moments %}
    {%- set used = moments[code] %}
    {%- set is_asked_again = code in var('asked_again', []) %}
    select
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
        measure.occurred_at,
        {%- if var('repeating', false) %}
        case indicators.repeated_same
            when 'case' then measure.case_id
            {%- if code in var('filtered', []) %}
            when 'category' then facts.category_code
            when 'request_type' then facts.request_type
            {%- endif %}
        end as repeated_key,
        indicators.repeated_within,
        indicators.repeated_times,
        indicators.starts_at,
        case indicators.moment
            {%- for moment in used %}
            when '{{ moment }}' then measure.{{ moment }}
            {%- endfor %}
        end as counted_at,
        {%- endif %}
        (
            case indicators.moment
                {%- for moment in used %}
                when '{{ moment }}'
                    then measure.{{ moment }}{{ " - interval '1 microsecond'" if moment == 'due_at' }}
                {%- endfor %}
            end at time zone '{{ var("timezone") }}'
        )::date as counted_on
    from {{ ref('measure_' ~ code) }} as measure
    inner join {{ ref('int_scoring__indicators') }} as indicators on indicators.measure_code = '{{ code }}'
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
    {%- if code in var('filtered', []) %}
    left join {{ source('mart', 'fct_case') }} as facts on measure.case_id = facts.case_id
    left join {{ source('mart', 'dim_category') }} as categories on facts.category_code = categories.category_code
    left join {{ source('mart', 'dim_area') }} as areas on facts.area_code = areas.area_code
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
            when 'due_at'
                then
                    measure.due_at > {{ counted_since('indicators') }}
                    and measure.due_at <= indicators.as_of
            {%- else %}
            when '{{ moment }}'
                then
                    measure.{{ moment }} >= {{ counted_since('indicators') }}
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
        and (
            {%- for moment in used %}
            {{ 'or ' if not loop.first }}measure.{{ moment }} between '{{ var("since") }}' and '{{ var("as_of") }}'
            {%- endfor %}
        )
        {%- if code in var('filtered', []) %}
        and (indicators.only_rows is null or {{ is_asked_for('indicators.only_rows') }})
        {%- endif %}
    {{ 'union all' if not loop.last }}
    {%- endfor %}
)

{%- if var('repeating', false) %}

-- What happens again: of those that count the place of each within its month, quarter or year.
,
placed as (
    select
        *,
        case
            when repeated_times is not null
                then
                    row_number() over (
                        partition by
                            indicator_code,
                            unit_code,
                            coalesce(repeated_key, subject_id),
                            date_trunc(repeated_within, counted_on),
                            numerator_value > 0
                        order by counted_at, subject_id
                    )
        end as place
    from counted
)
{%- endif %}

select
    {{ var("run_no", 0) }}::bigint as run_no,
    '{{ var("scheme_id") }}'::text as scheme_id,
    '{{ var("period") }}'::text as period,
    counted.unit_code,
    counted.indicator_code,
    counted.subject_kind,
    counted.subject_id,
    counted.case_id,
    counted.assignment_id,
    counted.callback_id,
    {%- if var('repeating', false) %}
    counted.numerator_value * case when counted.place > 1 then counted.repeated_times else 1 end as numerator_value,
    {%- else %}
    counted.numerator_value,
    {%- endif %}
    counted.denominator_value,
    counted.excluded_reason,
    counted.due_at,
    counted.occurred_at,
    counted.counted_on
from {{ 'placed' if var('repeating', false) else 'counted' }} as counted
-- one run, so the unit says it all; more keys would make the planner expect a single row
inner join {{ ref('int_scoring__units') }} as units on counted.unit_code = units.unit_code
where
    (counted.peer_groups is null or counted.peer_groups ? units.peer_group)
    {%- if var('repeating', false) %}
    and counted.counted_on >= (counted.starts_at at time zone '{{ var("timezone") }}')::date
    {%- endif %}
order by counted.unit_code, counted.indicator_code
