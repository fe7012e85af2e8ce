select * from {{ source('mart', 'callback_wide') }}
