-- Closed: one row per assignment, whatever its limit. What is open counts 0 from the dispatch on.
{{ measure_of_assignments(
    'close_rate',
    numerator='case when assignments.closed_at is not null then 1 end',
    occurred_at='assignments.closed_at',
    due_at='assignments.dispatched_at'
) }}
