-- Requests per 10,000 inhabitants: the rows of intake; the denominator is the population in the register.
{{ measure_of_assignments(
    'demand_per_10k',
    numerator='1',
    occurred_at='assignments.dispatched_at',
    only='assignments.round = 1'
) }}
