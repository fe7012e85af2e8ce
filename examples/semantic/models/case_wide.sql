select * from {{ source('mart', 'case_wide') }}
