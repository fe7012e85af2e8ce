-- Closed on time: one row per assignment that has a limit for closing. A granted extension moves the limit; a close
-- that stood when it passed was in time.
{{ measure_of_assignments(
    'close_on_time',
    numerator='assignments.is_closed_on_time::integer',
    occurred_at='coalesce(assignments.closed_in_time_at, assignments.closed_at)',
    only='assignments.judged_due_at is not null',
    uncounted='coalesce(' ~ limit_unknown('assignments') ~ ', ' ~ superseded_close('assignments') ~ ')',
    is_closing=true
) }}
