select * from {{ source('mart', 'assignment_wide') }}
