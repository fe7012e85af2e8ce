-- First contact on time, by the clock: one row per assignment that has a limit for the first contact.
{{ measure_of_assignments(
    'contact_on_time',
    numerator='(assignments.contacted_at <= assignments.contact_due_at)::integer',
    occurred_at='assignments.contacted_at',
    due_at='assignments.contact_due_at',
    only='assignments.contact_due_at is not null',
    uncounted=superseded('assignments', 'contacted_at', 'contact_due_at')
) }}
