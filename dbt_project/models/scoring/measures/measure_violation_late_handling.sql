-- Handled late (逾期处置): one row per finding of the inspectors.
{{ violation_measure('violation_late_handling', 'late_handling') }}
