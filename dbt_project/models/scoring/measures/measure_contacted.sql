-- Contacted first, as the citizen says: one row per callback.
{{ measure_of_callbacks(
    'contacted',
    numerator="(callbacks.contact_code = 'yes')::integer",
    question='contact_code',
    answers=['yes', 'no'],
    answer_code='callbacks.contact_code'
) }}
