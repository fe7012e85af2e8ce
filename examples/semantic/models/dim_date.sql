select * from {{ source('mart', 'dim_date') }}
