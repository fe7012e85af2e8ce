-- Overdue: one row per assignment that has a limit for closing; 1 when the limit passed before it was closed.
{{ measure_of_assignments(
    'overdue',
    numerator='(assignments.is_closed_on_time is not true)::integer',
    occurred_at='least(assignments.closed_at, assignments.judged_due_at)',
    only='assignments.judged_due_at is not null',
    uncounted=limit_unknown('assignments')
) }}
