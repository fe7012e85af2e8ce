-- Handled improperly (处置不当): one row per finding of the inspectors.
{{ measure_of_violations('violation_improper_handling', 'improper_handling') }}
