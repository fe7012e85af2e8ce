-- Points of a rating on five levels (好差评): one row per callback that asked on that scale.
{{ measure_of_callbacks(
    'good_rating',
    numerator="case callbacks.satisfaction_code
            when 'very_satisfied' then 5
            when 'satisfied' then 4
            when 'basically_satisfied' then 3
            when 'dissatisfied' then 2
            when 'very_dissatisfied' then 1
        end",
    question='satisfaction_code',
    answers=['very_satisfied', 'satisfied', 'basically_satisfied', 'dissatisfied', 'very_dissatisfied'],
    answer_code='callbacks.satisfaction_code',
    only="callbacks.satisfaction_scale = 'five'"
) }}
