-- Minutes within office hours from dispatch to close: one row per assignment that was closed.
{{ measure_of_assignments(
    'working_minutes',
    numerator='assignments.working_minutes_to_close',
    occurred_at='assignments.closed_at',
    due_at='null',
    only='assignments.working_minutes_to_close is not null'
) }}
