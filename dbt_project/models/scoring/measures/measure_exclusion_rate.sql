-- Excluded: one row per assignment. The one measure in which what was excluded counts.
{{ measure_of_assignments(
    'exclusion_rate',
    numerator='(assignments.is_excluded or excluded_cases.case_id is not null)::integer',
    excluded=false
) }}
