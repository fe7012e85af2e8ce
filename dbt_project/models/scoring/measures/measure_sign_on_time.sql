-- Signed on time: one row per assignment that has a limit for signing.
{{ measure_of_assignments(
    'sign_on_time',
    numerator='(assignments.signed_at <= assignments.sign_due_at)::integer',
    occurred_at='assignments.signed_at',
    due_at='assignments.sign_due_at',
    only='assignments.sign_due_at is not null',
    uncounted=superseded('assignments', 'signed_at', 'sign_due_at')
) }}
