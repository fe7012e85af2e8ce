-- Urged: one row per assignment, 1 however often it was.
{{ measure_of_assignments(
    'urged',
    numerator='(assignments.urge_count > 0)::integer',
    occurred_at='assignments.urged_at',
    due_at='assignments.dispatched_at'
) }}
