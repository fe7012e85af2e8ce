-- The dated rules of repeats. Levels are numbers, 1 the highest; null for the category: the code itself.
select
    key as repeat_rule,
    (data ->> 'valid_from')::date as valid_from,
    (data ->> 'valid_to')::date as valid_to,
    (data ->> 'window_days')::integer * interval '1 day' as repeat_window,
    data ->> 'matter' as matter,
    (data ->> 'category_level')::integer as category_level,
    (data ->> 'min_similarity')::numeric as min_similarity,
    data -> 'filler_words' as filler_words,
    data ->> 'place' as place,
    array_position(array['city', 'district', 'town', 'village', 'grid'], data ->> 'area_level') as area_level,
    (data ->> 'within_metres')::integer as within_metres,
    (data ->> 'compare_latest')::integer as compare_latest
from {{ config_entries('repeat_rule') }} as entries
