-- Closed on time: one row per assignment that has a limit for closing. A granted extension moves the limit.
{{ measure_of_assignments(
    'close_on_time',
    numerator='assignments.is_closed_on_time::integer',
    occurred_at='assignments.closed_at',
    only='assignments.judged_due_at is not null',
    uncounted=limit_unknown('assignments')
) }}
