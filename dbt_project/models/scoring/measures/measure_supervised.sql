-- Put under supervision: one row per assignment, 1 however often it was.
{{ measure_of_assignments(
    'supervised',
    numerator='(assignments.supervise_count > 0)::integer',
    occurred_at='assignments.supervised_at',
    due_at='assignments.dispatched_at'
) }}
