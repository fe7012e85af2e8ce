-- Repeats: one row per assignment of a first round; 1 when the case repeats an earlier one.
{{ measure_of_assignments(
    'repeat_rate',
    numerator='(cases.repeat_of_case_id is not null)::integer',
    occurred_at='assignments.dispatched_at',
    only='assignments.round = 1'
) }}
