-- The characters of each case that is compared, each once: those of its text, without masked numbers and words that say
-- nothing. A table of its own, so that the planner knows how many there are before it joins them. Few records are
-- compared of all that there are: they are looked up.
{{ config(pre_hook="set local random_page_cost = 1.1") }}
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

-- The matter stands at the beginning; of a long text nearly every character occurs in any other.
final as (
    select
        compared.repeat_rule,
        compared.case_id,
        {{ each_letter("left(" ~ letters_of(said) ~ ", 200)") }} as letters
    from compared
    cross join rules
    inner join {{ ref('int_case__winning') }} as cases on compared.case_id = cases.case_id
    inner join {{ ref('stg_case_content') }} as content
        on
            cases.feed_code = content.feed_code
            and cases.case_no = content.case_no
            and cases.batch_id = content.batch_id
            and cases.row_number = content.row_number
)

select * from final
