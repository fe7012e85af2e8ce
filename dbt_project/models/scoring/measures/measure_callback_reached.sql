-- Callbacks that reached somebody who answered: one row per callback.
{{ measure_of_callbacks(
    'callback_reached',
    numerator="(coalesce(callbacks.reach_code = 'reached', callbacks.is_reached))::integer",
    answer_code="coalesce(
            callbacks.reach_code,
            case callbacks.is_reached when true then 'reached' when false then 'unreachable' end
        )"
) }}
