-- Handled improperly (处置不当): one row per finding of the inspectors.
{{ violation_measure('violation_improper_handling', 'improper_handling') }}
