-- Extended: one row per assignment that has a limit for closing.
{{ measure_of_assignments(
    'extension_rate',
    numerator='(assignments.extension_count > 0)::integer',
    only='assignments.judged_due_at is not null'
) }}
