-- Closed on time: one row per assignment that has a limit for closing. A granted extension moves the limit.
{{ measure_of_assignments(
    'close_on_time',
    numerator='(assignments.closed_at <= assignments.in_force_due_at)::integer',
    occurred_at='assignments.closed_at',
    only='assignments.in_force_due_at is not null',
    uncounted=limit_unknown('assignments')
) }}
