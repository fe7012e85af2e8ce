-- The category tree, every category with all that is above it.
with recursive walked as (
    select
        category_code,
        category_name,
        parent_category_code,
        category_level,
        array[category_code] as codes,
        array[category_name] as names
    from {{ ref('stg_category') }}
    where parent_category_code is null
    union all
    select
        below.category_code,
        below.category_name,
        below.parent_category_code,
        below.category_level,
        walked.codes || below.category_code as codes,
        walked.names || below.category_name as names
    from walked
    inner join {{ ref('stg_category') }} as below on walked.category_code = below.parent_category_code
),

final as (
    select
        category_code,
        category_name,
        parent_category_code,
        category_level,
        codes[1] as level_1_code,
        names[1] as level_1_name,
        codes[2] as level_2_code,
        names[2] as level_2_name,
        codes[3] as level_3_code,
        names[3] as level_3_name,
        codes[4] as level_4_code,
        names[4] as level_4_name,
        codes[5] as level_5_code,
        names[5] as level_5_name
    from walked
)

select * from final
