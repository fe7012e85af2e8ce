-- Closed: one row per assignment, whatever its limit. What is open counts 0 from the dispatch on.
{{ measure_of_assignments(
    'close_rate',
    numerator='case when assignments.closed_at is not null then 1 end',
    occurred_at='assignments.closed_at',
    due_at='assignments.dispatched_at',
    uncounted="case
                when
                    assignments.end_reason = 'superseded'
                    and not coalesce(
                        assignments.closed_in_time_at is null and assignments.ended_at > assignments.judged_due_at, false
                    )
                    then 'superseded'
            end"
) }}
