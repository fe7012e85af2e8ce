-- Satisfied with both, the result and the treatment: one row per callback. Who answered one question counts for
-- nobody: counting a bad answer alone, and a good one only with its pair, would weigh against the unit.
{{ measure_of_callbacks(
    'both_satisfied',
    numerator='(' ~ is_pleased('callbacks.satisfaction_code') ~ ' and '
        ~ is_pleased('callbacks.attitude_code') ~ ')::integer',
    question='satisfaction_code',
    beside='attitude_code',
    answers=ratings(),
    answer_code=pleased_by('callbacks.satisfaction_code', 'callbacks.attitude_code')
) }}
