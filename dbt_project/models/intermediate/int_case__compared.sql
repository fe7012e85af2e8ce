-- A case and an earlier one of its caller that it may repeat, as far as caller, window and place say: one row for each
-- pair whose matter is the same by category, or is to be judged by the text. The rule of the day on which the later one
-- was received decides. Cases of one chain of transfers are one matter and repeat nothing.
with rules as (
    select * from {{ ref('stg_repeat_rule') }}
),

categories as (
    select
        category_code,
        array[level_1_code, level_2_code, level_3_code, level_4_code, level_5_code] as category_codes
    from {{ ref('dim_category') }}
),

areas as (
    select
        area_code,
        array[city_code, district_code, town_code, village_code, grid_code] as area_codes
    from {{ ref('dim_area') }}
),

calls as (
    select
        cases.case_id,
        cases.is_rebuilt,
        cases.caller_id,
        cases.received_at,
        cases.category_code,
        cases.address,
        cases.longitude,
        cases.latitude,
        rooted.root_case_id,
        -- a code that the register lacks stands for itself
        coalesce(categories.category_codes, array[cases.category_code]) as category_codes,
        case when cases.area_code is not null then coalesce(areas.area_codes, array[cases.area_code]) end as area_codes,
        row_number() over (partition by cases.caller_id order by cases.received_at, cases.case_id) as call_no
    from {{ ref('int_case__winning') }} as cases
    left join {{ ref('int_case__rooted') }} as rooted on cases.case_id = rooted.case_id
    left join categories on cases.category_code = categories.category_code
    left join areas on cases.area_code = areas.area_code
    where cases.caller_id is not null
),

-- The latest calls before, counted back: joined by equality, so that a caller of thousands of calls costs no square.
pairs as (
    select
        rules.repeat_rule,
        rules.matter,
        rules.min_similarity,
        rules.place,
        later.case_id,
        earlier.case_id as earlier_case_id,
        step.steps_back,
        coalesce(
            case
                when rules.category_level is null then later.category_code = earlier.category_code
                when later.category_code is not null and earlier.category_code is not null
                    then later.category_codes[1:rules.category_level] = earlier.category_codes[1:rules.category_level]
            end,
            false
        ) as is_same_category,
        coalesce(later.address = earlier.address, false) as is_same_address,
        {{ metres_between('later', 'earlier') }} <= rules.within_metres as is_near,
        nullif(array_remove(later.area_codes[1:rules.area_level], null), '{}') as area_codes,
        nullif(array_remove(earlier.area_codes[1:rules.area_level], null), '{}') as earlier_area_codes
    from calls as later
    inner join rules
        on
            {{ local_date('later.received_at') }} >= rules.valid_from
            and ({{ local_date('later.received_at') }} < rules.valid_to or rules.valid_to is null)
    cross join lateral generate_series(1, least(later.call_no - 1, rules.compare_latest)) as step (steps_back)
    inner join calls as earlier
        on later.caller_id = earlier.caller_id and later.call_no - step.steps_back = earlier.call_no
    where
        later.is_rebuilt
        and later.call_no > 1
        and later.received_at - earlier.received_at <= rules.repeat_window
        and earlier.root_case_id is distinct from later.root_case_id
),

measured as (
    select
        *,
        area_codes[1:cardinality(earlier_area_codes)]
        = earlier_area_codes[1:cardinality(area_codes)] as is_same_area
    from pairs
),

-- The finest that both tell decides: an address that is the same, else coordinates, else the area.
placed as (
    select
        *,
        coalesce(nullif(is_same_address, false), is_near, is_same_area) as is_same_place,
        case
            when is_same_address then 'address'
            when is_near then 'coordinates'
            when is_near is null and is_same_area then 'area'
        end as place_basis,
        is_same_category and matter in ('category', 'category_or_text') as is_settled
    from measured
),

-- Before a pair that category settles no text need be read.
reached as (
    select
        *,
        min(steps_back) filter (where is_settled) over (partition by case_id) as settled_steps_back
    from placed
    where
        case place
            when 'ignore' then true
            when 'if_told' then coalesce(is_same_place, true)
            else coalesce(is_same_place, false)
        end
        and (is_same_category or matter in ('text', 'category_or_text'))
),

final as (
    select
        case_id,
        earlier_case_id,
        repeat_rule,
        matter,
        min_similarity,
        steps_back,
        is_same_category,
        place_basis
    from reached
    where steps_back <= settled_steps_back or settled_steps_back is null
)

select * from final
