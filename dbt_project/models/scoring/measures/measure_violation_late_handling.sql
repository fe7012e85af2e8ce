-- Handled late (逾期处置): one row per finding of the inspectors.
{{ measure_of_violations('violation_late_handling', 'late_handling') }}
