-- Returns that were denied: one row per assignment. A granted return voids the assignment and counts against nobody.
{{ measure_of_assignments(
    'return_rate',
    numerator='(assignments.return_deny_count > 0)::integer'
) }}
