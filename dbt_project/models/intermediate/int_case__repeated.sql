-- The case that a case repeats: the latest earlier one that the rule of its day takes for the same, and what held.
-- Texts are alike by the characters they share, each counted once: 2 × shared / (those of one + those of the other).
with pairs as (
    select * from {{ ref('int_case__compared') }}
),

rules as (
    select
        *,
        array_to_string(array(select jsonb_array_elements_text(filler_words)), '|') as fillers
    from {{ ref('stg_repeat_rule') }}
),

compared as (
    select
        repeat_rule,
        case_id,
        batch_id,
        row_number
    from pairs
    union
    select
        repeat_rule,
        earlier_case_id,
        earlier_batch_id,
        earlier_row_number
    from pairs
),

-- The matter stands at the beginning; of a long text nearly every character occurs in any other.
letters as (
    select distinct
        compared.repeat_rule,
        compared.case_id,
        letter.letter
    from compared
    inner join rules on compared.repeat_rule = rules.repeat_rule
    inner join {{ ref('stg_case_content') }} as content
        -- one key: of three the planner expects a single row, and loops
        on compared.batch_id || '|' || compared.row_number = content.batch_id || '|' || content.row_number
    cross join lateral unnest(string_to_array(left(
        {{ letters_of("regexp_replace(" ~ without_masks('content.said') ~ ", rules.fillers, '', 'g')") }}, 200
    ), null)) as letter (letter)
),

sizes as (
    select
        repeat_rule,
        case_id,
        count(*) as letter_count
    from letters
    group by repeat_rule, case_id
),

shared as (
    select
        pairs.case_id,
        pairs.earlier_case_id,
        count(*) as letter_count
    from pairs
    inner join letters on pairs.case_id = letters.case_id and pairs.repeat_rule = letters.repeat_rule
    inner join letters as earlier
        on
            pairs.earlier_case_id = earlier.case_id
            and pairs.repeat_rule = earlier.repeat_rule
            and letters.letter = earlier.letter
    group by pairs.case_id, pairs.earlier_case_id
),

-- Null where one of them says nothing. Rounded before it is judged: what is shown is what decided.
judged as (
    select
        pairs.*,
        rules.matter,
        rules.min_similarity,
        round(2.0 * coalesce(shared.letter_count, 0) / (sizes.letter_count + earlier_sizes.letter_count), 3)
            as similarity
    from pairs
    inner join rules on pairs.repeat_rule = rules.repeat_rule
    left join sizes on pairs.case_id = sizes.case_id and pairs.repeat_rule = sizes.repeat_rule
    left join sizes as earlier_sizes
        on pairs.earlier_case_id = earlier_sizes.case_id and pairs.repeat_rule = earlier_sizes.repeat_rule
    left join shared on pairs.case_id = shared.case_id and pairs.earlier_case_id = shared.earlier_case_id
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
