-- The dated limit rules of the schemes. A null list binds everything; the first rule that fits wins.
select
    key as limit_rule,
    data ->> 'limit_kind' as limit_kind,
    (data ->> 'rule_no')::integer as rule_no,
    case when jsonb_typeof(data -> 'request_types') = 'array' then data -> 'request_types' end as request_types,
    case when jsonb_typeof(data -> 'urgencies') = 'array' then data -> 'urgencies' end as urgencies,
    case when jsonb_typeof(data -> 'categories') = 'array' then data -> 'categories' end as categories,
    case when jsonb_typeof(data -> 'linkage_levels') = 'array' then data -> 'linkage_levels' end as linkage_levels,
    (data ->> 'amount')::integer as amount,
    data ->> 'unit' as unit,
    data ->> 'starts' as starts,
    (data -> 'extension' ->> 'amount')::integer as extension_amount,
    data -> 'extension' ->> 'unit' as extension_unit,
    (data -> 'extension' ->> 'max_count')::integer as extension_max_count,
    coalesce(data -> 'extension' ->> 'further', 'add') as extension_further,
    (data -> 'extension' -> 'ask_before' ->> 'amount')::integer as ask_before_amount,
    data -> 'extension' -> 'ask_before' ->> 'unit' as ask_before_unit,
    (data -> 'returned' -> 'ask_within' ->> 'amount')::integer as return_within_amount,
    data -> 'returned' -> 'ask_within' ->> 'unit' as return_within_unit,
    coalesce(
        data -> 'returned' ->> 'late',
        case when data ->> 'unit' in ('hour', 'minute', 'work_hour', 'work_minute') then 'lifts' else 'stands' end
    ) as late_return,
    (data ->> 'valid_from')::date as valid_from,
    (data ->> 'valid_to')::date as valid_to
from {{ config_entries('limit_rule') }} as entries
