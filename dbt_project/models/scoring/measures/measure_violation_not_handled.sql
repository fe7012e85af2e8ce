-- Not handled (不处置): one row per finding of the inspectors.
{{ measure_of_violations('violation_not_handled', 'not_handled') }}
