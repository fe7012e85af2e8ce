-- Satisfied: one row per callback, whichever scale it was asked on.
{{ measure_of_callbacks(
    'satisfaction',
    numerator=is_pleased('callbacks.satisfaction_code') ~ '::integer',
    question='satisfaction_code',
    answers=ratings(),
    answer_code='callbacks.satisfaction_level'
) }}
