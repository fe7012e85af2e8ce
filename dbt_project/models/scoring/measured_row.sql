-- What every measure gives. It holds no row and makes no table: the views of schema mart are held to its columns.
{{ config(materialized='ephemeral') }}

select
    null::text as measure_code,
    null::text as subject_kind,
    null::text as subject_id,
    null::text as case_id,
    null::text as assignment_id,
    null::text as callback_id,
    null::text as unit_code,
    null::timestamptz as received_at,
    null::timestamptz as dispatched_at,
    null::timestamptz as due_at,
    null::timestamptz as closed_at,
    null::timestamptz as called_at,
    null::timestamptz as occurred_at,
    null::numeric as numerator_value,
    null::numeric as denominator_value,
    null::text as excluded_reason,
    null::text as answer_code
where false
