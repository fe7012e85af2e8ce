-- The case that a case repeats: the latest earlier one that the rule of its day takes for the same, and what held.
-- Texts are alike by the characters they share, each counted once: 2 × shared / (those of one + those of the other).
-- Null where one of two says nothing. Rounded before it is judged: what is shown is what decided.
with judged as (
    select
        pairs.*,
        case
            when later.letters <> '' and earlier.letters <> ''
                then round(2.0 * shared.letter_count / (length(later.letters) + length(earlier.letters)), 3)
        end as similarity
    from {{ ref('int_case__compared') }} as pairs
    inner join {{ ref('int_case__worded') }} as later
        on pairs.case_id = later.case_id and pairs.repeat_rule = later.repeat_rule
    inner join {{ ref('int_case__worded') }} as earlier
        on pairs.earlier_case_id = earlier.case_id and pairs.repeat_rule = earlier.repeat_rule
    cross join lateral (
        select count(*) as letter_count
        from unnest(string_to_array(later.letters, null)) as one (letter)
        inner join unnest(string_to_array(earlier.letters, null)) as other (letter) on one.letter = other.letter
    ) as shared
),

final as (
    select distinct on (case_id)
        case_id,
        earlier_case_id as repeat_of_case_id,
        similarity as repeat_similarity,
        concat_ws(
            '+',
            case when is_same_category then 'category' end,
            case when similarity >= min_similarity then 'text' end,
            place_basis
        ) as repeat_basis
    from judged
    where
        case matter
            when 'category' then is_same_category
            when 'text' then similarity >= min_similarity
            when 'category_and_text' then is_same_category and similarity >= min_similarity
            else is_same_category or similarity >= min_similarity
        end
    order by case_id asc, steps_back asc
)

select * from final
