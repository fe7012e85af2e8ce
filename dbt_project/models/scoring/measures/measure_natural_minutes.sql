-- Minutes from dispatch to close: one row per assignment that was closed.
{{ measure_of_assignments(
    'natural_minutes',
    numerator='assignments.natural_minutes_to_close',
    occurred_at='assignments.closed_at',
    due_at='null',
    only='assignments.natural_minutes_to_close is not null'
) }}
