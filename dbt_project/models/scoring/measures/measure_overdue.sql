-- Overdue: one row per assignment that has a limit for closing; 1 when the limit passed before it was closed.
{{ measure_of_assignments(
    'overdue',
    numerator='(coalesce(assignments.closed_at > assignments.in_force_due_at, true))::integer',
    occurred_at='least(assignments.closed_at, assignments.in_force_due_at)',
    only='assignments.in_force_due_at is not null',
    uncounted=limit_unknown('assignments')
) }}
