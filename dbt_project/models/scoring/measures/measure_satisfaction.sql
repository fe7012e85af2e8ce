-- Satisfied: one row per callback, whichever scale it was asked on.
{{ measure_of_callbacks(
    'satisfaction',
    numerator="(
            callbacks.satisfaction_code in ('very_satisfied', 'satisfied', 'basically_satisfied')
        )::integer",
    question='satisfaction_code',
    answers=[
        'very_satisfied', 'satisfied', 'basically_satisfied', 'neutral', 'dissatisfied', 'very_dissatisfied'
    ],
    answer_code='callbacks.satisfaction_level'
) }}
