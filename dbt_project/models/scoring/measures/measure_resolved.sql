-- Really resolved: one row per callback. 解释说明 (explained) is an answer of its own and is not resolved.
{{ measure_of_callbacks(
    'resolved',
    numerator="(callbacks.resolution_code = 'resolved')::integer",
    question='resolution_code',
    answers=['resolved', 'explained', 'unresolved'],
    answer_code='callbacks.resolution_code'
) }}
