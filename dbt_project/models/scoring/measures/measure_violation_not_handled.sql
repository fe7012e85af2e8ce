-- Not handled (不处置): one row per finding of the inspectors.
{{ violation_measure('violation_not_handled', 'not_handled') }}
