-- Sent back for rework: one row per assignment that was closed or sent back.
{{ measure_of_assignments(
    'rework_rate',
    numerator='(assignments.reworked_at is not null)::integer',
    occurred_at='coalesce(assignments.closed_at, assignments.reworked_at)',
    due_at='null',
    only='coalesce(assignments.closed_at, assignments.reworked_at) is not null'
) }}
