-- Intake: one row per assignment of a first round. Rework is the same matter again.
{{ measure_of_assignments(
    'intake',
    numerator='1',
    occurred_at='assignments.dispatched_at',
    only='assignments.round = 1'
) }}
