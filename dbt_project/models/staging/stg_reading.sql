-- From which day to before which an edition of the readings holds; before the first edition 1 does.
select
    (data ->> 'valid_from')::date as valid_from,
    lead((data ->> 'valid_from')::date) over (order by (data ->> 'valid_from')::date) as valid_to,
    (data ->> 'edition')::integer as edition
from {{ config_entries('reading') }} as entries
