-- The characters of each case that is compared, each once: those of its text, without masked numbers and words that say
-- nothing. A table of its own, so that the planner knows how many there are before it joins them.
{% set fillers = "rules.fillers ->> compared.repeat_rule" %}
{% set said = "regexp_replace(" ~ without_masks('content.said') ~ ", " ~ fillers ~ ", '', 'g')" %}
with pairs as (
    select * from {{ ref('int_case__compared') }}
),

-- One row for all rules: joined by the rule the planner expects a single case, and loops.
rules as (
    select
        jsonb_object_agg(
            repeat_rule, array_to_string(array(select jsonb_array_elements_text(filler_words)), '|')
        ) as fillers
    from {{ ref('stg_repeat_rule') }}
),

compared as (
    select
        repeat_rule,
        case_id
    from pairs
    union
    select
        repeat_rule,
        earlier_case_id
    from pairs
),

-- The matter stands at the beginning; of a long text nearly every character occurs in any other. Records are looked up,
-- for few are compared of all that there are.
final as (
    select
        compared.repeat_rule,
        compared.case_id,
        {{ each_letter("left(" ~ letters_of(said) ~ ", 200)") }} as letters
    from compared
    cross join rules
    inner join {{ ref('int_case__winning') }} as cases on compared.case_id = cases.case_id
    cross join
        lateral (  -- noqa: ST05
            select records.said
            from {{ ref('stg_case_content') }} as records
            where
                records.feed_code = cases.feed_code
                and records.case_no = cases.case_no
                and records.batch_id = cases.batch_id
                and records.row_number = cases.row_number
            limit 1  -- noqa: AM09
        ) as content
)

select * from final
