-- Explained and not resolved: one row per callback.
{{ measure_of_callbacks(
    'explained',
    numerator="(callbacks.resolution_code = 'explained')::integer",
    question='resolution_code',
    answers=['resolved', 'explained', 'unresolved'],
    answer_code='callbacks.resolution_code'
) }}
