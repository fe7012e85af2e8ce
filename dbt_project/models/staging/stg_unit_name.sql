-- What every name of a unit means, span of days by span: codes, names, aliases. unit_code is null where several units
-- carry the work on, or none; unit_codes are all that may be meant, with semicolons between. A table, to be analysed.
{{ config(materialized='table', unlogged=true, post_hook='analyze {{ this }}') }}

select
    entries.data ->> 'unit_name' as unit_name,
    coalesce(span.valid_from, '-infinity') as valid_from,
    coalesce(span.valid_to, 'infinity') as valid_to,
    span.unit_code,
    span.unit_codes,
    span.resolution
from {{ config_entries('unit_name') }} as entries
cross join lateral jsonb_to_recordset(entries.data -> 'spans') as span (
    unit_code text, unit_codes text, resolution text, valid_from date, valid_to date
)
