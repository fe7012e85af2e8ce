-- Overdue: one row per assignment that has a limit for closing; 1 when the limit passed before it was closed.
{{ measure_of_assignments(
    'overdue',
    numerator='(assignments.is_closed_on_time is not true)::integer',
    occurred_at='coalesce(assignments.closed_in_time_at, assignments.judged_due_at)',
    only='assignments.judged_due_at is not null',
    uncounted='coalesce(' ~ limit_unknown('assignments') ~ ', ' ~ superseded_close('assignments') ~ ')',
    is_closing=true
) }}
