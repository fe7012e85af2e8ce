-- Closed at the first attempt: one row per assignment of a first round that was closed or sent back.
{{ measure_of_assignments(
    'closed_once',
    numerator="(
            assignments.reworked_at is null
            and assignments.review_back_count = 0
            and assignments.return_request_count = 0
            and assignments.return_deny_count = 0
        )::integer",
    occurred_at='coalesce(assignments.closed_at, assignments.reworked_at)',
    due_at='null',
    only='assignments.round = 1 and coalesce(assignments.closed_at, assignments.reworked_at) is not null'
) }}
