-- Treated well: how the citizen rates the treatment, apart from what came of it. One row per callback that asked it.
{{ measure_of_callbacks(
    'attitude',
    numerator=is_pleased('callbacks.attitude_code') ~ '::integer',
    question='attitude_code',
    answers=ratings(),
    answer_code='callbacks.attitude_code'
) }}
